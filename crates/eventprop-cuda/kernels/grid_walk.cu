// Neurons on a grid of time steps, forward and back: the equations stand in lif_core::grid. A block walks one sample: first
// all its threads add up what arrives, then a thread steps through each neuron.
#include "grid.cuh"
#include "loss.cuh"

// Added to I - theta before dividing by it, as in lif_core::grid.
#define SLOPE_GUARD 1e-10f

// Spikes whose weights are fetched side by side.
#define GRID_FETCHED 8

// The memory of a sample; rows are padded as those of weights are.
struct GridScratch {
    float* partials;  // [piece][neuron]
    float* drives;    // [run][neuron] what arrives
    float* jumps;     // [step][neuron] 1 / (I - theta) at a spike, else 0; from the first arrival on

    static __device__ __forceinline__ GridScratch of(Grid const& grid, int sample, float* shared) {
        size_t floats = (size_t)(grid.pieces + grid.runs + grid.steps) * grid.stride;
        float* start = grid.scratch ? grid.scratch + sample * floats : shared;
        float* drives = start + (size_t)grid.pieces * grid.stride;
        return {start, drives, drives + (size_t)grid.runs * grid.stride};
    }
};

// The weights of a piece's inputs, of four neurons, added up one after the other.
__device__ __forceinline__ float4 sum_of_piece(Grid const& grid, int const* sources, GridPiece const& piece, int quad) {
    float4 sum = {0.0f, 0.0f, 0.0f, 0.0f};
    float4 const* weights = (float4 const*)grid.weights + quad;
    int row = grid.stride / 4;
    for (int first = piece.first; first < piece.end; first += GRID_FETCHED) {
        int inputs[GRID_FETCHED];
        float4 fetched[GRID_FETCHED];
#pragma unroll
        for (int k = 0; k < GRID_FETCHED; k++) inputs[k] = first + k < piece.end ? sources[first + k] : -1;
#pragma unroll
        for (int k = 0; k < GRID_FETCHED; k++) {
            fetched[k] = inputs[k] < 0 ? float4{0.0f, 0.0f, 0.0f, 0.0f} : weights[(size_t)inputs[k] * row];
        }
#pragma unroll
        for (int k = 0; k < GRID_FETCHED; k++) add_to(sum, fetched[k]);
    }
    return sum;
}

// Adds up the weights of the inputs that spike, piece by piece, then run by run: for every neuron.
__device__ __forceinline__ void add_up_drives(Grid const& grid, GridData const& data, GridSample const& inputs,
                                              GridScratch const& scratch) {
    int quads = grid.stride / 4;
    for (int task = threadIdx.x; task < inputs.pieces * quads; task += GRID_THREADS) {
        GridPiece piece = data.pieces[inputs.first_piece + task / quads];
        ((float4*)scratch.partials)[task] = sum_of_piece(grid, data.sources, piece, task % quads);
    }
    __syncthreads();
    for (int task = threadIdx.x; task < inputs.runs * grid.stride; task += GRID_THREADS) {
        int neuron = task % grid.stride;
        GridRun run = data.runs[inputs.first_run + task / grid.stride];
        float sum = 0.0f;
#pragma unroll 8
        for (int piece = 0; piece < run.pieces; piece++) {
            sum += scratch.partials[(size_t)(run.first_piece + piece) * grid.stride + neuron];
        }
        scratch.drives[task] = sum;
    }
    __syncthreads();
}

// Steps through one neuron, from the first arrival on.
__device__ __forceinline__ void step_forward(Grid const& grid, GridRun const* runs, int count, int sample, int neuron,
                                             GridScratch const& scratch, Control* control) {
    int begin = count > 0 ? runs[0].step : grid.steps;
    int run = 0, arrival = begin, spikes = 0, first = grid.silent_step;
    float voltage = 0.0f, current = 0.0f;
    for (int word = 0; word < grid.words; word++) {
        unsigned fired = 0;
        int end = min(32 * word + 32, grid.steps);
        for (int step = max(32 * word, begin); step < end; step++) {
            voltage = fmaf(grid.membrane, current, grid.keeps_voltage * voltage);
            bool is_spike = voltage > grid.threshold;
            float before = current, drive = 0.0f;
            if (step == arrival) {
                drive = scratch.drives[(size_t)run * grid.stride + neuron];
                run++;
                arrival = run < count ? runs[run].step : grid.steps;
            }
            current = fmaf(grid.keeps_current, current, drive);
            float jump = 0.0f;
            if (is_spike) {
                voltage = 0.0f;
                jump = 1.0f / (((grid.is_first ? current : before) - grid.threshold) + SLOPE_GUARD);
                fired |= 1u << (step - 32 * word);
                if (spikes == 0) first = step;
                spikes++;
            }
            scratch.jumps[(size_t)step * grid.stride + neuron] = jump;
        }
        grid.fired[((size_t)sample * grid.words + word) * grid.stride + neuron] = fired;
    }
    size_t place = (size_t)sample * grid.stride + neuron;
    grid.outputs[place] = (float)first;
    grid.counts[place] = spikes;
    if (spikes == 0) {
        atomicMax(&grid.silent[neuron], 1);
        if (grid.stops_at_silence) atomicMax(&control->faults.silent, 1);
    }
}

// Steps back through one neuron to the first arrival, leaving its adjoint where runs arrive.
__device__ __forceinline__ void step_back(Grid const& grid, GridRun const* runs, int count, int sample, int neuron,
                                          GridScratch const& scratch) {
    size_t place = (size_t)sample * grid.stride + neuron;
    float gradient = grid.pulls ? 0.0f : grid.derivatives[place];
    int first = grid.pulls ? -1 : (int)grid.outputs[place];
    int run = count - 1, begin = count > 0 ? runs[0].step : grid.steps;
    int arrival = count > 0 ? runs[run].step : -1;
    float voltage = 0.0f, current = 0.0f;
    for (int step = grid.steps - 1; step >= begin; step--) {
        float difference = voltage - current;
        float jump = scratch.jumps[(size_t)step * grid.stride + neuron];
        if (grid.is_first) {
            voltage *= grid.keeps_voltage;
            voltage = fmaf(jump, fmaf(grid.threshold, voltage, gradient), voltage);
            current = fmaf(grid.synapse, voltage - current, current);
        } else {
            current = fmaf(grid.synapse, difference, current);
            float upstream = step == first ? gradient : 0.0f;
            // A spike of the last step reaches nobody.
            if (grid.pulls && jump != 0.0f && step + 1 < grid.steps) {
                upstream = grid.pulls[((size_t)sample * grid.steps + step) * grid.stride + neuron];
            }
            voltage = fmaf(jump, fmaf(grid.threshold, voltage, upstream), grid.keeps_voltage * voltage);
        }
        if (step == arrival) {
            size_t left = ((size_t)sample * grid.runs + run) * grid.stride + neuron;
            grid.mu[left] = -current;
            if (grid.differences) grid.differences[left] = difference;
            run--;
            arrival = run >= 0 ? runs[run].step : -1;
        }
    }
}

// The sample's place among the data.
__device__ __forceinline__ int place_of(Control const* control, Step const* steps, int const* order) {
    return order[steps[control->cursor].first + blockIdx.x];
}

// Every neuron of the block's sample, and the loss where there is one.
template <bool forward, bool evaluates, bool back>
__device__ __forceinline__ void walk_grid(Grid const& grid, GridData const& data, Loss const& loss, Control* control,
                                          Step const* steps, int const* order, float* losses, int* predictions,
                                          float* shared) {
    int sample = blockIdx.x, place = place_of(control, steps, order);
    if (sample == 0 && threadIdx.x == 0) {
        control->at = control->cursor;
        note_not_finite(control);
    }
    GridSample inputs = data.samples[data.is_batch ? sample : place];
    GridRun const* runs = data.runs + inputs.first_run;
    GridScratch scratch = GridScratch::of(grid, sample, shared);
    if (forward) {
        add_up_drives(grid, data, inputs, scratch);
        for (int neuron = threadIdx.x; neuron < grid.neurons; neuron += GRID_THREADS) {
            step_forward(grid, runs, inputs.runs, sample, neuron, scratch, control);
        }
        __syncthreads();
        // The class whose first spike is the earliest, of silent ones too.
        if (threadIdx.x < WARP) {
            float const* z = grid.outputs + (size_t)sample * grid.stride;
            float* gradient = grid.derivatives + (size_t)sample * grid.stride;
            int found = predicted(z, grid.neurons, 0.0f, READOUT_SPIKE_TIME_SUM);
            float value = 0.0f;
            if (evaluates) {
                float share = 1.0f / (float)grid.samples;
                value = loss_of(loss, z, gradient, grid.neurons, data.labels[place], share, (float)grid.silent_step);
            }
            if (threadIdx.x == 0 && evaluates) tell_loss(control, sample, value, found, losses, predictions);
            if (threadIdx.x == 0 && !evaluates) predictions[sample] = found;
        }
        if (back) __syncthreads();
    }
    if (back) {
        for (int neuron = threadIdx.x; neuron < grid.neurons; neuron += GRID_THREADS) {
            step_back(grid, runs, inputs.runs, sample, neuron, scratch);
        }
        // Nobody's.
        int padding = grid.stride - grid.neurons;
        for (int task = threadIdx.x; task < inputs.runs * padding; task += GRID_THREADS) {
            size_t row = (size_t)sample * grid.runs + task / padding;
            grid.mu[row * grid.stride + grid.neurons + task % padding] = 0.0f;
        }
    }
}

// To the first spikes and predictions. Grid: a block of GRID_THREADS a sample.
extern "C" __global__ void grid_forward(
    __grid_constant__ Grid const grid, __grid_constant__ GridData const data, Control* control, Step const* steps,
    int const* order, int* predictions) {
    __shared__ __align__(16) float shared[GRID_SHARED];
    walk_grid<true, false, false>(grid, data, Loss{}, control, steps, order, nullptr, predictions, shared);
}

// From derivatives that are there, of a layer that others hear from pulls, after grid_forward with memory of its own.
extern "C" __global__ void grid_backward(
    __grid_constant__ Grid const grid, __grid_constant__ GridData const data, Control* control, Step const* steps,
    int const* order) {
    if (is_faulty(control)) return;
    walk_grid<false, false, true>(grid, data, Loss{}, control, steps, order, nullptr, nullptr, nullptr);
}

// Forward, to the losses, and back.
extern "C" __global__ void grid_walk(
    __grid_constant__ Grid const grid, __grid_constant__ GridData const data, __grid_constant__ Loss const loss,
    Control* control, Step const* steps, int const* order, float* losses, int* predictions) {
    __shared__ __align__(16) float shared[GRID_SHARED];
    walk_grid<true, true, true>(grid, data, loss, control, steps, order, losses, predictions, shared);
}
