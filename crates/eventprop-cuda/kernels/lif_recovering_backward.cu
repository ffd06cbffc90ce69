// The adjoint of leaky integrate-and-fire neurons that need time to recover from a spike: where a neuron leaves its
// reset, lambda_V falls to 0 and what it was counts for the time of the spike (equations 12 and 14 of
// docs/derivation.md). The way back through what arrived is that of lif_backward.

// A neuron's spikes and the ends of their recoveries on the way back: spike k is turn 2 k, its recovery 2 k + 1. The
// last recovery is none, for nothing comes after it.
struct SpikesAndRecoveries {
    Layer const& layer;
    Recovery const& recovery;
    size_t slots;
    int turn, interval;

    __device__ __forceinline__ SpikesAndRecoveries(Layer const& layer, Recovery const& recovery, int spikes,
                                                   size_t slots)
        : layer(layer), recovery(recovery), slots(slots), turn(2 * spikes - 2), interval(find()) {}

    // The interval of the turn at hand, -1 after the last.
    __device__ __forceinline__ int find() const {
        if (turn < 0) return -1;
        return (turn % 2 ? recovery.intervals : layer.spike_intervals)[place()];
    }
    __device__ __forceinline__ size_t place() const { return slots + (size_t)(turn / 2) * layer.stride; }
    __device__ __forceinline__ void take(float& mu_voltage, float& mu_current) {
        size_t at = place();
        mu_voltage += (turn % 2 ? recovery.mems : layer.spike_mems)[at];
        mu_current += (turn % 2 ? recovery.drives : layer.spike_drives)[at];
        turn--;
        interval = find();
    }
};

// The jumps at a neuron's spikes and recoveries, the last first. Between a spike and its recovery lambda_V is 0.
__device__ __forceinline__ void jump_back(Layer const& layer, Decay const& decay, Recovery const& recovery,
                                          Control* control, Lane const& lane, int spikes, size_t slots,
                                          float const* above_errors, int above_width, int above_tiles,
                                          int every_spike) {
    Jumps jumps = jumps_of(layer, lane, spikes);
    float least = layer.threshold[lane.neuron] * layer.slope_floor;
    // lambda_V and lambda_B just before the neuron's next spike, and when that is.
    float next = 0.0f, next_adaptation = 0.0f, next_time = 0.0f;
    for (int k = spikes - 1; k >= 0; k--) {
        size_t slot = slots + (size_t)k * layer.stride;
        float time = layer.spike_times[slot], slope = layer.spike_slopes[slot];
        float error = spike_error(layer, lane, k, slot, above_errors, above_width, above_tiles, every_spike);
        float adaptation = 0.0f;
        if (k < spikes - 1) {
            float after = next * expf((time + recovery.refractory - next_time) / decay.tau_mem);
            error = fmaf(recovery.rises[slot], after, error);
            recovery.mems[slot] *= after * decay.tau_syn;
            recovery.drives[slot] *= after * decay.tau_syn * decay.ratio;
            adaptation = next_adaptation * expf((time - next_time) / recovery.tau());
        }
        error = fmaf(-recovery.beta(), adaptation, error);
        float before = jumps.before_recovery(least, slope, error);
        next_adaptation = fmaf(-before, decay.tau_mem / recovery.tau(), adaptation);
        next = before - jumps.pull;
        next_time = time;
        // For the gradient by constants.
        layer.spike_slopes[slot] = next;
        layer.spike_mems[slot] *= next * -decay.tau_syn;
        layer.spike_drives[slot] *= next * -decay.tau_syn * decay.ratio;
    }
    if (jumps.grazing > 0) atomicAdd(&control->grazing, (unsigned long long)jumps.grazing);
}

template <class Arrivals>
__device__ __forceinline__ void walk_recovering_back(Layer const& layer, Recovery const& recovery, Control* control,
                                                     float const* above_errors, int above_width, int above_tiles,
                                                     int every_spike, int first, int samples, Parts& parts,
                                                     Rings& rings) {
    // Where room lacked, spikes have no place among the arrivals of the layer above.
    if (is_faulty(control)) return;
    Lane lane = lane_of(layer);
    if (lane.sample >= samples || !lane.exists) return;
    lane.sample += first;
    int spikes = layer.spike_counts[(size_t)lane.sample * layer.stride + lane.neuron];
    size_t slots = (size_t)lane.sample * layer.slots * layer.stride + lane.neuron;
    jump_back(layer, Arrivals::decay_of(layer, lane.neuron), recovery, control, lane, spikes, slots, above_errors,
              above_width, above_tiles, every_spike);
    auto begin = [&] { return SpikesAndRecoveries(layer, recovery, spikes, slots); };
    if (layer.wants_errors) take_back<Arrivals, true>(layer, lane, begin, parts, rings);
    else take_back<Arrivals, false>(layer, lane, begin, parts, rings);
}

// Grid: as lif_backward.
extern "C" __global__ void lif_recovering_backward(Layer layer, Control* control, float const* above_errors,
                                                   int above_width, int above_tiles, int every_spike, int first,
                                                   int samples, Recovery recovery) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_recovering_back<CommonArrivals>(layer, recovery, control, above_errors, above_width, above_tiles, every_spike,
                                         first, samples, parts, rings);
}

extern "C" __global__ void lif_recovering_backward_delayed(Layer layer, Control* control, float const* above_errors,
                                                           int above_width, int above_tiles, int every_spike,
                                                           int first, int samples, Recovery recovery) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_recovering_back<OwnArrivals>(layer, recovery, control, above_errors, above_width, above_tiles, every_spike,
                                      first, samples, parts, rings);
}

// Where each neuron has time constants of its own.
extern "C" __global__ void lif_recovering_backward_heterogeneous(
    Layer layer, Control* control, float const* above_errors, int above_width, int above_tiles, int every_spike,
    int first, int samples, Recovery recovery) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_recovering_back<Heterogeneous<CommonArrivals>>(layer, recovery, control, above_errors, above_width,
                                                        above_tiles, every_spike, first, samples, parts, rings);
}

extern "C" __global__ void lif_recovering_backward_delayed_heterogeneous(
    Layer layer, Control* control, float const* above_errors, int above_width, int above_tiles, int every_spike,
    int first, int samples, Recovery recovery) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_recovering_back<Heterogeneous<OwnArrivals>>(layer, recovery, control, above_errors, above_width,
                                                        above_tiles, every_spike, first, samples, parts, rings);
}
