// The adjoint of leaky integrate-and-fire neurons (Wunderlich & Pehle 2021, eq. 3).
#include "adjoint.cuh"

template <class Arrivals>
__device__ __forceinline__ void walk_lif_back(Layer const& layer, Control* control,
                                              float const* above_errors, int above_width,
                                              int above_tiles, int every_spike, int first,
                                              int samples) {
    // Where room lacked, spikes have no place among the arrivals of the layer above.
    if (is_faulty(control)) return;
    Lane lane = lane_of(layer);
    if (lane.sample >= samples || !lane.exists) return;
    lane.sample += first;
    Arrivals arrivals = Arrivals::of(layer, lane.sample, lane.neuron);
    Decay const& decay = layer.decay;
    int spikes = layer.spike_counts[(size_t)lane.sample * layer.stride + lane.neuron];
    Jumps jumps = jumps_of(layer, lane, spikes);
    size_t slots = (size_t)lane.sample * layer.slots * layer.stride + lane.neuron;

    int k = spikes - 1;
    int interval = k >= 0 ? layer.spike_intervals[slots + (size_t)k * layer.stride] : -1;
    int top = last_of(arrivals, interval);
    float mu_voltage = 0.0f, mu_current = 0.0f;
    // lambda_V just before the neuron's next spike, and when that is.
    float next = 0.0f, next_time = 0.0f;
    for (int r = arrivals.events; r >= 0; r--) {
        if (r > top) {
            if (r > 0) arrive_silent(arrivals, layer, lane, r);
            continue;
        }
        Record record = arrivals.record(r);
        sweep(mu_voltage, mu_current, record, decay.ratio);
        // Between its own spikes lambda_V only decays; a jump is carried back to the interval's start.
        while (interval == r) {
            size_t slot = slots + (size_t)k * layer.stride;
            float time = layer.spike_times[slot];
            float after = next == 0.0f ? 0.0f : next * expf((time - next_time) / decay.tau_mem);
            float error = spike_error(layer, lane, k, slot, above_errors, above_width, above_tiles,
                                      every_spike);
            float before = before_spike(jumps, layer.spike_slopes[slot], after, error);
            float jump = (before - after) * -decay.tau_syn;
            mu_voltage = fmaf(jump, layer.spike_mems[slot], mu_voltage);
            mu_current = fmaf(jump * decay.ratio, layer.spike_drives[slot], mu_current);
            next = before;
            next_time = time;
            k--;
            interval = k >= 0 ? layer.spike_intervals[slots + (size_t)k * layer.stride] : -1;
        }
        if (r > 0) arrive(arrivals, layer, lane, r, record.source, mu_voltage, mu_current, 0.0f);
    }
    if (jumps.grazing > 0) atomicAdd(&control->grazing, (unsigned long long)jumps.grazing);
}

// Grid: as lif_forward, over the samples from `first` on.
extern "C" __global__ void lif_backward(Layer layer, Control* control, float const* above_errors,
                                        int above_width, int above_tiles, int every_spike, int first,
                                        int samples) {
    walk_lif_back<CommonArrivals>(layer, control, above_errors, above_width, above_tiles, every_spike,
                                  first, samples);
}

extern "C" __global__ void lif_backward_delayed(Layer layer, Control* control,
                                                float const* above_errors, int above_width,
                                                int above_tiles, int every_spike, int first,
                                                int samples) {
    walk_lif_back<OwnArrivals>(layer, control, above_errors, above_width, above_tiles, every_spike,
                               first, samples);
}
