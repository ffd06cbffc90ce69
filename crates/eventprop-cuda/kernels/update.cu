// From the gradient to changed weights, and the bookkeeping of a step.
#include "update.cuh"

#define NORM_BLOCKS 32
#define NORM_THREADS 256

// Over the parameters of `count` spans. Grid: NORM_BLOCKS of NORM_THREADS.
extern "C" __global__ void gradient_squares(float const* gradient, Span const* spans, int count, double* parts) {
    __shared__ double sums[NORM_THREADS];
    double sum = 0.0;
    int threads = gridDim.x * NORM_THREADS;
    for (Span const* span = spans; span < spans + count; span++) {
        for (int i = span->first + blockIdx.x * NORM_THREADS + threadIdx.x; i < span->end; i += threads) {
            double value = gradient[i];
            sum += value * value;
        }
    }
    sum = block_sum(sum, sums, threadIdx.x, NORM_THREADS);
    if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// One block of NORM_THREADS.
extern "C" __global__ void gradient_norm(double const* parts, Control* control) {
    __shared__ double sums[NORM_THREADS];
    double part = threadIdx.x < NORM_BLOCKS ? parts[threadIdx.x] : 0.0;
    double sum = block_sum(part, sums, threadIdx.x, NORM_THREADS);
    if (threadIdx.x == 0) control->norm = sqrt(sum);
}

// A thread a weight or delay; padding has no gradient and stays 0. `count` of them; from `delays` on
// they are delays, which no update makes negative. The norm is of `of_norm` parameters, without padding.
extern "C" __global__ void update_parameters(float* parameters, float const* gradient, float* first,
                                             float* second, int count, int of_norm, int delays,
                                             Control* control, Step const* steps) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (is_faulty(control)) return;
    Rule rule = steps[control->cursor].rule;
    bool scaled = rule.clip_norm > 0.0 && control->norm > rule.clip_norm;
    if (scaled && i == 0) atomicAdd(&control->clipped, (unsigned long long)of_norm);
    if (i >= count) return;
    bool is_delay = i >= delays;
    change(parameters, gradient, first, second, i, rule, is_delay ? rule.delays : rule.weights, scaled,
           is_delay ? 0.0f : -__int_as_float(0x7f800000), control, &control->clipped);
}

// The constants of neurons. Grid: a block of any size a list.
extern "C" __global__ void update_constants(float* parameters, float const* gradient, float* first, float* second,
                                            Learned const* lists, Control* control, Step const* steps) {
    if (is_faulty(control)) return;
    Rule const& rule = steps[control->cursor].rule;
    Learned list = lists[blockIdx.x];
    bool scaled = rule.clip_norm > 0.0 && control->norm > rule.clip_norm;
    for (int i = threadIdx.x; i < list.count; i += blockDim.x) {
        change(parameters, gradient, first, second, list.first + i, rule, rule.constants[list.constant], scaled,
               list.lowest, control, &control->clipped);
    }
}

// The batch's statistics, if nothing failed. By a block of NORM_THREADS.
__device__ __forceinline__ void close_batch(Control* control, float const* losses, int const* predictions,
                                            Step const* steps, int const* order, int const* labels,
                                            double* sums) {
    Step step = steps[control->cursor];
    BatchSums batch = batch_sums({losses, predictions, labels}, step, order, sums, threadIdx.x, NORM_THREADS);
    if (threadIdx.x != 0) return;
    if (!is_faulty(control)) {
        Totals& totals = totals_of(control, control->cursor);
        add_to(totals, batch, step.samples);
        totals.grazing += control->grazing;
    }
    control->grazing = 0;
}

// On to the queue's next step, if nothing failed. By one thread.
__device__ __forceinline__ void close_update(Control* control) {
    if (!is_faulty(control)) {
        totals_of(control, control->cursor++).clipped += control->clipped;
    }
    control->clipped = 0;
}

// The end of a differentiation, of an update, of both. Of the first and last a block of NORM_THREADS.
extern "C" __global__ void finish_batch(Control* control, float const* losses, int const* predictions,
                                        Step const* steps, int const* order, int const* labels) {
    __shared__ double sums[NORM_THREADS];
    close_batch(control, losses, predictions, steps, order, labels, sums);
}
extern "C" __global__ void finish_update(Control* control) {
    note_not_finite(control);
    close_update(control);
}
extern "C" __global__ void finish_step(Control* control, float const* losses, int const* predictions,
                                       Step const* steps, int const* order, int const* labels) {
    __shared__ double sums[NORM_THREADS];
    if (threadIdx.x == 0) note_not_finite(control);
    close_batch(control, losses, predictions, steps, order, labels, sums);
    if (threadIdx.x == 0) close_update(control);
}
