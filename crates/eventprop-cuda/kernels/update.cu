// From the gradient to changed weights, and the bookkeeping of a step.
#include "types.cuh"

#define NORM_BLOCKS 32
#define NORM_THREADS 256

// The sum of a block's values in a fixed order; 0 in all threads but the first. The first knows it without reading it
// again: the compiler would let all threads read it, while it is written.
__device__ __forceinline__ double block_sum(double value, double* sums) {
    sums[threadIdx.x] = value;
    for (int reach = NORM_THREADS / 2; reach > 0; reach /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < reach) {
            value += sums[threadIdx.x + reach];
            sums[threadIdx.x] = value;
        }
    }
    return threadIdx.x == 0 ? value : 0.0;
}

// Grid: NORM_BLOCKS of NORM_THREADS.
extern "C" __global__ void gradient_squares(float const* gradient, int count, double* parts) {
    __shared__ double sums[NORM_THREADS];
    double sum = 0.0;
    int threads = gridDim.x * NORM_THREADS;
    for (int i = blockIdx.x * NORM_THREADS + threadIdx.x; i < count; i += threads) {
        double value = gradient[i];
        sum += value * value;
    }
    sum = block_sum(sum, sums);
    if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// One block of NORM_THREADS.
extern "C" __global__ void gradient_norm(double const* parts, Control* control) {
    __shared__ double sums[NORM_THREADS];
    double sum = block_sum(threadIdx.x < NORM_BLOCKS ? parts[threadIdx.x] : 0.0, sums);
    if (threadIdx.x == 0) control->norm = sqrt(sum);
}

// Changes parameter i by its gradient, and its moments; `scaled` if the gradient's norm is above the limit.
__device__ __forceinline__ void change(float* parameters, float const* gradient, float* first, float* second, int i,
                                       Rule const& rule, Pace pace, bool scaled, float lowest,
                                       Control* control) {
    float g = gradient[i];
    if (scaled) g *= (float)(rule.clip_norm / control->norm);
    if (rule.clip_value > 0.0f && fabsf(g) > rule.clip_value) {
        g = copysignf(rule.clip_value, g);
        atomicAdd(&control->clipped, 1ull);
    }
    if (!pace.learns) return;
    float p = parameters[i];
    if (rule.adam) {
        float m = fmaf(rule.momentum_or_beta1, first[i], (1.0f - rule.momentum_or_beta1) * g);
        float v = fmaf(rule.beta2, second[i], (1.0f - rule.beta2) * g * g);
        first[i] = m;
        second[i] = v;
        p -= fmaf(pace.decay, p, pace.rate * m / fmaf(rule.root_scale, sqrtf(v), rule.epsilon));
    } else {
        float m = fmaf(rule.momentum_or_beta1, first[i], g);
        first[i] = m;
        p = fmaf(-pace.rate, m, p);
    }
    parameters[i] = fmaxf(p, lowest);
    // False for NaN too.
    if (!(fabsf(p) < __int_as_float(0x7f800000))) {
        atomicMin(&control->faults.parameter_not_finite, (unsigned long long)i);
    }
}

// A thread a weight or delay; padding has no gradient and stays 0. `count` of them, `real`
// parameters in all, without padding; from `delays` on they are delays, which no update makes negative.
extern "C" __global__ void update_parameters(float* parameters, float const* gradient, float* first,
                                             float* second, int count, int real, int delays,
                                             Control* control, Step const* steps) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (is_faulty(control)) return;
    Rule rule = steps[control->cursor].rule;
    bool scaled = rule.clip_norm > 0.0 && control->norm > rule.clip_norm;
    if (scaled && i == 0) atomicAdd(&control->clipped, (unsigned long long)real);
    if (i >= count) return;
    bool is_delay = i >= delays;
    change(parameters, gradient, first, second, i, rule, is_delay ? rule.delays : rule.weights, scaled,
           is_delay ? 0.0f : -__int_as_float(0x7f800000), control);
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
               list.lowest, control);
    }
}

// The batch's statistics, if nothing failed. By a block of NORM_THREADS.
__device__ __forceinline__ void close_batch(Control* control, float const* losses, int const* predictions,
                                            Step const* steps, int const* order, int const* labels,
                                            double* sums) {
    Step step = steps[control->cursor];
    double loss = 0.0, correct = 0.0;
    for (int s = threadIdx.x; s < step.samples; s += NORM_THREADS) {
        loss += losses[s];
        correct += predictions[s] == labels[order[step.first + s]];
    }
    loss = block_sum(loss, sums);
    __syncthreads();
    correct = block_sum(correct, sums);
    if (threadIdx.x != 0) return;
    if (!is_faulty(control)) {
        control->totals.loss += loss;
        control->totals.samples += step.samples;
        control->totals.correct += (unsigned long long)correct;
        control->totals.grazing += control->grazing;
    }
    control->grazing = 0;
}

// On to the queue's next step, if nothing failed. By one thread.
__device__ __forceinline__ void close_update(Control* control) {
    if (!is_faulty(control)) {
        control->totals.clipped += control->clipped;
        control->cursor++;
    }
    control->clipped = 0;
}

// The end of a differentiation, of an update, of both. Of the first and last a block of NORM_THREADS.
extern "C" __global__ void finish_batch(Control* control, float const* losses, int const* predictions,
                                        Step const* steps, int const* order, int const* labels) {
    __shared__ double sums[NORM_THREADS];
    close_batch(control, losses, predictions, steps, order, labels, sums);
}
extern "C" __global__ void finish_update(Control* control) { close_update(control); }
extern "C" __global__ void finish_step(Control* control, float const* losses, int const* predictions,
                                       Step const* steps, int const* order, int const* labels) {
    __shared__ double sums[NORM_THREADS];
    close_batch(control, losses, predictions, steps, order, labels, sums);
    if (threadIdx.x == 0) close_update(control);
}
