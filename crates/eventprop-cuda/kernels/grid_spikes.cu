// Spikes between layers on a grid: those of a layer as the next one hears them, and what they do there.
#include "grid.cuh"
#include "warp.cuh"

// The sum of what threads of the block before this one bring, and of all. `sums`: one a warp.
__device__ __forceinline__ int sum_before(int value, int* sums, int& total) {
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, sum = value;
    for (int reach = 1; reach < WARP; reach *= 2) {
        int earlier = __shfl_up_sync(FULL_WARP, sum, reach);
        if (lane >= reach) sum += earlier;
    }
    if (lane == WARP - 1) sums[warp] = sum;
    __syncthreads();
    int before = sum - value;
    total = 0;
    for (int other = 0; other < GRID_THREADS / WARP; other++) {
        if (other < warp) before += sums[other];
        total += sums[other];
    }
    __syncthreads();
    return before;
}

// Whether a neuron of a sample spikes at a step.
__device__ __forceinline__ bool fires(Grid const& grid, unsigned const* fired, int step, int neuron) {
    return fired[(size_t)(step / 32) * grid.stride + neuron] >> (step % 32) & 1;
}

// A layer's spikes, which arrive a step after they are sent (variant `head`; the other has one layer), as runs and by neuron.
// Grid: a block of GRID_THREADS a sample.
extern "C" __global__ void grid_hear(__grid_constant__ Grid const below, __grid_constant__ GridHeard const heard) {
    __shared__ int sums[GRID_THREADS / WARP];
    int sample = blockIdx.x, last = below.steps - 1;
    int first_run = sample * below.steps, first = first_run * below.neurons;
    unsigned const* fired = below.fired + (size_t)sample * below.words * below.stride;
    int* runs_of_steps = heard.runs_of_steps + first_run;

    int runs = 0, spikes = first;
    for (int base = 0; base < below.steps; base += GRID_THREADS) {
        int step = base + threadIdx.x, count = 0;
        if (step < last) {
            for (int neuron = 0; neuron < below.neurons; neuron++) count += fires(below, fired, step, neuron);
        }
        int all_runs, all_spikes;
        int run = runs + sum_before(count > 0, sums, all_runs);
        int place = spikes + sum_before(count, sums, all_spikes);
        runs += all_runs;
        spikes += all_spikes;
        if (step >= below.steps) continue;
        runs_of_steps[step] = count > 0 ? run : -1;
        if (count == 0) continue;
        heard.runs[first_run + run] = {step + 1, run, 1};
        heard.pieces[first_run + run] = {place, place + count};
        for (int neuron = 0; neuron < below.neurons; neuron++) {
            if (fires(below, fired, step, neuron)) heard.sources[place++] = neuron;
        }
    }
    if (threadIdx.x == 0) heard.samples[sample] = {first_run, runs, first_run, runs};

    int* starts = heard.input_starts + (size_t)sample * (below.neurons + 1);
    int start = first;
    for (int base = 0; base < below.neurons; base += GRID_THREADS) {
        int neuron = base + threadIdx.x, count = 0, all;
        if (neuron < below.neurons) {
            count = below.counts[(size_t)sample * below.stride + neuron] - fires(below, fired, last, neuron);
        }
        // All threads meet in there: from then on runs of steps are there for others.
        int place = start + sum_before(count, sums, all);
        start += all;
        if (neuron >= below.neurons) continue;
        starts[neuron] = place;
        for (int step = 0; step < last; step++) {
            if (fires(below, fired, step, neuron)) heard.runs_of_inputs[place++] = runs_of_steps[step];
        }
    }
    if (threadIdx.x == 0) starts[below.neurons] = start;
}

// The loss's derivative by each spike of a sample that arrives at a layer: tell(spike, step of its arrival, derivative), in
// the first lane of a warp. Of a block of warps, threads (WARP, warps).
template <class Tell>
__device__ __forceinline__ void by_spikes(Grid const& grid, GridData const& data, Tell tell) {
    GridSample inputs = data.samples[blockIdx.x];
    for (int run = 0; run < inputs.runs; run++) {
        GridRun of = data.runs[inputs.first_run + run];
        GridPiece const* pieces = data.pieces + inputs.first_piece + of.first_piece;
        float const* seen = grid.differences + ((size_t)blockIdx.x * grid.runs + run) * grid.stride;
        for (int spike = pieces[0].first + threadIdx.y; spike < pieces[of.pieces - 1].end; spike += blockDim.y) {
            float const* weights = grid.weights + (size_t)data.sources[spike] * grid.stride;
            float sum = 0.0f;
            for (int n = threadIdx.x; n < grid.neurons; n += WARP) sum += weights[n] * seen[n];
            sum = warp_sum(sum);
            if (threadIdx.x == 0) tell(spike, of.step, sum);
        }
    }
}

// What spikes of a layer do in the one above, which has gone back: its pulls. Grid: a block of any number of warps a sample,
// threads (WARP, warps).
extern "C" __global__ void grid_pull(__grid_constant__ Grid const above, __grid_constant__ GridData const data,
                                     __grid_constant__ Grid const below, Control* control) {
    if (is_faulty(control)) return;
    float* pulls = below.pulls + (size_t)blockIdx.x * below.steps * below.stride;
    by_spikes(above, data, [&](int spike, int step, float derivative) {
        pulls[(size_t)(step - 1) * below.stride + data.sources[spike]] = derivative;
    });
}

// The derivative by the time of each spike of the input that arrives, one sample after the other, of a batch in the order of
// its data. Grid: as grid_pull.
extern "C" __global__ void grid_input_gradient(Grid grid, GridData data, Control* control, float* by_spike) {
    if (is_faulty(control)) return;
    by_spikes(grid, data, [&](int spike, int, float derivative) { by_spike[spike] = derivative; });
}
