// The spikes of leaky integrate-and-fire neurons in an interval, and how many there were.
#pragma once
#include "arrivals.cuh"
#include "crossing.cuh"

// A neuron at the start of an interval, and its spikes so far.
struct Neuron {
    float u, current, threshold, reset;
    int spikes;
};

struct After {
    float u;
    int spikes;
};

// Finds the spikes of one neuron in one interval, and its voltage at the end, which without any would be `u_end`.
template <class Arrivals>
__device__ __forceinline__ After spikes_in(Layer const& layer, int sample, int neuron, int record, float start, float end,
                                        Neuron at, float u_end, Interval step) {
    Decay const& decay = Arrivals::decay_of(layer, neuron);
    float u = at.u, current = at.current, threshold = at.threshold;
    Rest rest = {step, end - start};
    Interval before = {1.0f, 1.0f, 0.0f};
    float sum = 0.0f;
    while (at.spikes <= MAX_SPIKES) {
        float current_end = current * rest.step.syn;
        if (!is_candidate(threshold, current, u_end, current_end)) break;
        if (u_end <= threshold && !peak_is_above(decay, u, current, threshold)) break;
        float to_crossing = crossing(decay, u, current, threshold, rest);
        Interval to = interval_to(decay, to_crossing);
        rest = rest_after(decay, rest, to, to_crossing);
        before = then(before, to);
        sum += to_crossing;
        current *= to.syn;
        u = at.reset;
        if (at.spikes < layer.slots) {
            float time = fminf(start + elapsed(decay, before, sum), end);
            size_t slot = ((size_t)sample * layer.slots + at.spikes) * layer.stride + neuron;
            layer.spike_times[slot] = time;
            layer.spike_slopes[slot] = current - threshold;
            layer.spike_mems[slot] = before.mem;
            layer.spike_drives[slot] = before.drive;
            layer.spike_intervals[slot] = record;
        }
        at.spikes++;
        u_end = fmaf(u, rest.step.mem, current * rest.step.drive);
    }
    return {u_end, at.spikes};
}

// Notes how often a neuron spiked, and whether it ran away or room was lacking.
__device__ __forceinline__ void tell_spikes(Layer const& layer, Control* control, int sample, int neuron, int spikes) {
    layer.spike_counts[(size_t)sample * layer.stride + neuron] = min(spikes, layer.slots);
    if (spikes > MAX_SPIKES) {
        unsigned long long place = (unsigned long long)layer.layer << 32 | (unsigned)sample;
        atomicMin(&control->faults.runaway, place);
    } else if (spikes > layer.slots) {
        atomicMax(&layer.needed[0], spikes);
        atomicMax(&control->faults.capacity, 1);
    }
}
