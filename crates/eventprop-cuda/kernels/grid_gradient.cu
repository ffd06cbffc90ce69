// The gradient by the weights of a layer on a grid, and by the times of input spikes.
#include "grid.cuh"
#include "update.cuh"
#include "warp.cuh"

// Warps that share the samples of a batch.
#define GRID_SUMMERS 32
#define GRID_LEARNERS (WARP * GRID_SUMMERS)
// Samples of a warp whose spikes are looked up side by side.
#define GRID_AHEAD 4

// The spikes that neurons sent, a batch at a time.
__device__ __forceinline__ void count_activity(Grid const& grid, int first) {
    for (int neuron = first; neuron < min(first + 4, grid.neurons); neuron++) {
        int spikes = 0;
        for (int s = WARP * threadIdx.y + threadIdx.x; s < grid.samples; s += WARP * GRID_SUMMERS) {
            spikes += grid.counts[(size_t)s * grid.stride + neuron];
        }
        for (int reach = WARP / 2; reach > 0; reach /= 2) spikes += __shfl_xor_sync(FULL_WARP, spikes, reach);
        if (threadIdx.x == 0 && spikes > 0) atomicAdd(&grid.activity[neuron], (unsigned long long)spikes);
    }
}

// What samples have seen of a sum, over the warps that share them. Of all threads; in the first warp.
__device__ __forceinline__ float4 sum_of_warps(float4 sum, float4 (*sums)[WARP]) {
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0) return sum;
    for (int summer = 1; summer < GRID_SUMMERS; summer++) {
        add_to(sum, sums[summer][threadIdx.x]);
    }
    return sum;
}

// The sum over samples of what their spikes of an input see of four neurons, from `neuron` on, in the first warp; warps share the
// samples, in a fixed order.
__device__ __forceinline__ float4 gradient_of(Grid const& grid, GridData const& data, int const* samples, int input,
                                              int neuron, float4 (*sums)[WARP]) {
    float4 sum = {0.0f, 0.0f, 0.0f, 0.0f};
    if (input < grid.inputs) {
        for (int s = threadIdx.y; s < grid.samples; s += GRID_AHEAD * GRID_SUMMERS) {
            // Most inputs spike once a sample, if at all: what comes first is fetched for all, stage by stage.
            int of[GRID_AHEAD], begin[GRID_AHEAD], end[GRID_AHEAD], run[GRID_AHEAD];
            float4 seen[GRID_AHEAD];
            unsigned more = 0;
#pragma unroll
            for (int ahead = 0; ahead < GRID_AHEAD; ahead++) {
                int next = s + ahead * GRID_SUMMERS;
                of[ahead] = next;
                if (!data.is_batch && next < grid.samples) of[ahead] = samples[next];
            }
#pragma unroll
            for (int ahead = 0; ahead < GRID_AHEAD; ahead++) {
                int const* starts = data.input_starts + (size_t)of[ahead] * (grid.inputs + 1) + input;
                bool exists = s + ahead * GRID_SUMMERS < grid.samples;
                begin[ahead] = exists ? starts[0] : 0;
                end[ahead] = exists ? starts[1] : 0;
            }
#pragma unroll
            for (int ahead = 0; ahead < GRID_AHEAD; ahead++) {
                run[ahead] = begin[ahead] < end[ahead] ? data.runs_of_inputs[begin[ahead]] : -1;
                more |= (unsigned)(end[ahead] - begin[ahead] > 1) << ahead;
            }
            auto seen_by = [&](int ahead, int run) {
                size_t row = (size_t)(s + ahead * GRID_SUMMERS) * grid.runs + run;
                return (float4 const*)(grid.mu + row * grid.stride + neuron);
            };
#pragma unroll
            for (int ahead = 0; ahead < GRID_AHEAD; ahead++) {
                seen[ahead] = {0.0f, 0.0f, 0.0f, 0.0f};
                if (run[ahead] >= 0) seen[ahead] = *seen_by(ahead, run[ahead]);
            }
#pragma unroll
            for (int ahead = 0; ahead < GRID_AHEAD; ahead++) add_to(sum, seen[ahead]);
            for (; more != 0; more &= more - 1) {
                int ahead = __ffs(more) - 1;
                int const* starts = data.input_starts + input;
                int next = s + ahead * GRID_SUMMERS;
                starts += (size_t)(data.is_batch ? next : samples[next]) * (grid.inputs + 1);
                for (int spike = starts[0] + 1; spike < starts[1]; spike++) {
                    add_to(sum, *seen_by(ahead, data.runs_of_inputs[spike]));
                }
            }
        }
    }
    return sum_of_warps(sum, sums);
}

// Grid: a block 32 inputs and four neurons, of threads (WARP, GRID_SUMMERS).
extern "C" __global__ void __launch_bounds__(GRID_LEARNERS, 1) grid_gradient(
    __grid_constant__ Grid const grid, __grid_constant__ GridData const data, Control* control, Step const* steps,
    int const* order) {
    __shared__ float4 sums[GRID_SUMMERS][WARP];
    if (is_faulty(control)) return;
    int input = blockIdx.x * WARP + threadIdx.x, neuron = 4 * blockIdx.y;
    if (blockIdx.x == 0) count_activity(grid, neuron);
    float4 sum = gradient_of(grid, data, order + steps[control->at].first, input, neuron, sums);
    if (threadIdx.y == 0 && input < grid.inputs) {
        *(float4*)(grid.gradient + (size_t)input * grid.stride + neuron) = sum;
    }
}

// The rest of a step: the gradient, the update, which is each parameter's own, and in one block more a row the statistics
// and the cursor. Grid: as grid_gradient with that block.
extern "C" __global__ void __launch_bounds__(GRID_LEARNERS, 1) grid_learn(
    __grid_constant__ Grid const grid, __grid_constant__ GridData const data, Control* control, Step const* steps,
    int const* order, float* values, float* first, float* second, float const* losses, int const* predictions) {
    __shared__ float4 sums[GRID_SUMMERS][WARP];
    __shared__ double of_batch[GRID_LEARNERS];
    if (is_faulty(control)) return;
    Step const& step = steps[control->at];
    if (blockIdx.x == gridDim.x - 1) {
        if (blockIdx.y > 0) return;
        int thread = WARP * threadIdx.y + threadIdx.x;
        Left left = {losses, predictions, data.labels};
        BatchSums batch = batch_sums(left, step, order, of_batch, thread, GRID_LEARNERS);
        if (thread > 0) return;
        add_to(totals_of(control, control->at), batch, step.samples);
        control->cursor++;
        return;
    }
    int input = blockIdx.x * WARP + threadIdx.x, neuron = 4 * blockIdx.y;
    if (blockIdx.x == 0) count_activity(grid, neuron);
    float4 sum = gradient_of(grid, data, order + step.first, input, neuron, sums);
    if (threadIdx.y > 0 || input >= grid.inputs) return;
    int place = input * grid.stride + neuron;
    *(float4*)(grid.gradient + place) = sum;
    for (int n = 0; n < 4; n++) {
        change(values, grid.gradient, first, second, place + n, step.rule, step.rule.weights, false,
               -__int_as_float(0x7f800000), control, &totals_of(control, control->at).clipped);
    }
}
