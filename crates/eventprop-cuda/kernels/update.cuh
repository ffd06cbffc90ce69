// How a parameter changes, and the statistics of a batch.
#pragma once
#include "types.cuh"

// The sum of a block's values in a fixed order, over `threads` of them, a power of two; 0 in all threads but the first. The
// first knows it without reading it again: the compiler would let all threads read it, while it is written.
__device__ __forceinline__ double block_sum(double value, double* sums, int thread, int threads) {
    sums[thread] = value;
    for (int reach = threads / 2; reach > 0; reach /= 2) {
        __syncthreads();
        if (thread < reach) {
            value += sums[thread + reach];
            sums[thread] = value;
        }
    }
    return thread == 0 ? value : 0.0;
}

// Changes parameter i by its gradient, and its moments; `scaled` if the gradient's norm is above the limit. Where it is
// clipped, that is counted.
__device__ __forceinline__ void change(float* parameters, float const* gradient, float* first, float* second, int i,
                                       Rule const& rule, Pace pace, bool scaled, float lowest, Control* control,
                                       unsigned long long* clipped) {
    if (!pace.learns) return;
    float g = gradient[i];
    if (scaled) g *= (float)(rule.clip_norm / control->norm);
    if (rule.clip_value > 0.0f && fabsf(g) > rule.clip_value) {
        g = copysignf(rule.clip_value, g);
        atomicAdd(clipped, 1ull);
    }
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
        atomicMin(&control->not_finite, (unsigned long long)i);
    }
}

// What a batch left, and the labels of all samples.
struct Left {
    float const* losses;     // [sample of the batch]
    int const* predictions;  // the same
    int const* labels;       // [sample]
};

struct BatchSums {
    double loss, correct;
};

// Of a step's batch, in the first of a block's threads.
__device__ __forceinline__ BatchSums batch_sums(Left const& left, Step const& step, int const* order, double* sums,
                                                int thread, int threads) {
    double loss = 0.0, correct = 0.0;
    for (int s = thread; s < step.samples; s += threads) {
        loss += left.losses[s];
        correct += left.predictions[s] == left.labels[order[step.first + s]];
    }
    loss = block_sum(loss, sums, thread, threads);
    __syncthreads();
    return {loss, block_sum(correct, sums, thread, threads)};
}

// By one thread.
__device__ __forceinline__ void add_to(Totals& totals, BatchSums const& sums, int samples) {
    totals.loss += sums.loss;
    totals.samples += samples;
    totals.correct += (unsigned long long)sums.correct;
}
