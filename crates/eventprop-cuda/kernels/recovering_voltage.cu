// Voltages of an output layer whose neurons need time to recover from a spike: measured when all spikes are known, each
// neuron for itself; and the walks back from there. While a neuron is held at its reset the loss does nothing to lambda_V,
// which is 0: other than in recurrent_voltage.cu lambda is carried back as a whole.
#include "recovery.cuh"
#include "queue.cuh"
#include "recurrent.cuh"

// A time in which nothing happens to a neuron; its voltage is counted from its bias.
struct Piece {
    float start, end;
    float u, current;          // at the start
    float u_end, current_end;
    bool held;
    int mover;  // what ends it: an event; or a spike, see mark_of_spike; or NO_EVENT
};

// Calls visit(piece) for each, from time 0 to the end. Notes by how much spikes had raised the threshold before, and the
// slopes with which resets are left.
template <class Heard, class Visit>
__device__ __forceinline__ void each_piece(Measured const& own, Recovery const& recovery, Heard heard, Visit const& visit) {
    Layer const& layer = own.layer;
    Decay const& decay = DrivenByVoltage::decay_of(layer, own.neuron);
    Adaptation by = Adaptation::of(recovery);
    int spikes = layer.spike_counts[own.place()], met = 0;
    size_t slot = (size_t)own.sample * layer.slots * layer.stride + own.neuron;  // of the next spike
    float bias = layer.bias[own.neuron];
    AdaptiveThreshold threshold = AdaptiveThreshold::of(layer.threshold[own.neuron] - bias);
    float now = 0.0f, u = -bias, current = 0.0f;
    float leaves = NEVER;  // the end of its recovery, if it is held
    for (;;) {
        float spike = met < spikes ? layer.spike_times[slot] : NEVER;
        float arrival = heard.time();
        bool held = leaves != NEVER;
        // Rounding may put a spike before the end of the recovery.
        if (held) leaves = fminf(leaves, spike);
        float end = fminf(fminf(leaves, spike), fminf(arrival, layer.duration));
        bool is_release = leaves == end, is_spike = !is_release && spike == end;
        bool arrives = !is_release && !is_spike && arrival == end;
        Interval step = interval_of(decay, end - now);
        Piece piece = {now, end, u, current, u, current * step.syn, held, NO_EVENT};
        if (!held) piece.u_end = fmaf(u, step.mem, current * step.drive);
        int event = arrives ? heard.take() : NO_EVENT;
        float weight = arrives ? own.weight(event) : 0.0f;
        // Others of the walk may hear what it does not.
        if (weight != 0.0f) piece.mover = event;
        if (is_spike) {
            float raised = threshold.adaptation(by, end);
            piece.u_end = threshold.base + raised;
            piece.mover = mark_of_spike(met);
            recovery.mems[slot] = raised;
        }
        visit(piece);
        now = end;
        u = piece.u_end;
        current = piece.current_end;
        if (is_release) {
            leaves = NEVER;
            recovery.rises[slot - layer.stride] = current - u;
        } else if (is_spike) {
            threshold.raise(by, now);
            u = layer.reset - bias;
            leaves = now + recovery.refractory;
            met++;
            slot += layer.stride;
        } else if (arrives) {
            current += weight;
        } else {
            break;
        }
    }
}

// As follow_to_maximum of recurrent_voltage.cu, of a neuron that may spike too: of its voltages while it is not held.
// `peaks` is when that is, or -1 where `peak_intervals` says the rest.
template <class Heard>
__device__ __forceinline__ void follow_recovering_to_maximum(Measured const& own, Recovery const& recovery, Heard heard) {
    Layer const& layer = own.layer;
    Decay const& decay = DrivenByVoltage::decay_of(layer, own.neuron);
    float bias = layer.bias[own.neuron];
    float peak = -bias, top = -1.0f, slope = 0.0f;
    int mover = NO_EVENT;
    float turn = NEVER;
    each_piece(own, recovery, heard, [&](Piece const& at) {
        if (at.held) return;
        if (at.current > at.u && at.u_end > at.current_end && at.current > peak) {
            float s = time_of_extremum(decay, at.u, at.current);
            float height = at.current * expf(-s / decay.tau_syn);
            if (height > peak) {
                peak = height;
                // Not rounded to the start, where it would be before what arrives there.
                top = fminf(fmaxf(at.start + s, nextafterf(at.start, layer.duration)), at.end);
                slope = 0.0f;
                mover = NO_EVENT;
                turn = NEVER;
            }
        }
        if (at.u_end > peak) {
            peak = at.u_end;
            top = at.mover < NO_EVENT ? -1.0f : at.end;
            slope = (at.current_end - at.u_end) / decay.tau_mem;
            mover = at.mover;
            turn = at.end;
        }
        // The first of its moment that the neuron hears.
        if (mover == NO_EVENT && turn == at.end && at.mover > NO_EVENT) mover = at.mover;
    });
    layer.outputs[own.place()] = peak + bias;
    layer.peaks[own.place()] = top;
    layer.peak_elapsed[own.place()] = top < 0.0f ? -1.0f : 0.0f;
    layer.peak_currents[own.place()] = slope;
    layer.peak_intervals[own.place()] = mover;
}

// As add_up_mean of recurrent_voltage.cu: see mean_voltage of li_forward.cu.
template <class Heard>
__device__ __forceinline__ void add_up_recovering_mean(Measured const& own, Recovery const& recovery, Heard heard) {
    Layer const& layer = own.layer;
    Decay const& decay = DrivenByVoltage::decay_of(layer, own.neuron);
    // What is added up of times of rest, by how much currents fall otherwise, and by how much voltages rise.
    double resting = 0.0, currents = 0.0, changes = 0.0;
    each_piece(own, recovery, heard, [&](Piece const& at) {
        if (at.held) {
            resting += (double)at.u * integral_of_weight(layer.rate, at.start, at.end);
            return;
        }
        double first = expf(-layer.rate * at.start), last = expf(-layer.rate * at.end);
        currents += first * at.current - last * at.current_end;
        changes += last * at.u_end - first * at.u;
    });
    double charge = currents * decay.tau_syn / (1.0 + (double)decay.tau_syn * layer.rate);
    double voltages = (charge - decay.tau_mem * changes) / (1.0 + (double)decay.tau_mem * layer.rate) + resting;
    float weight = integral_of_weight(layer.rate, 0.0f, layer.duration) / layer.duration;
    layer.outputs[own.place()] = fmaf(layer.bias[own.neuron], weight, (float)(voltages / layer.duration));
}

// Arguments: as measure_voltages of recurrent_voltage.cu.
template <class Heard>
__device__ __forceinline__ void measure_recovering(Layer const& layer, Layer const& walk, Layer const& below, int column,
                                                   int kind, Recovery const& recovery) {
    int sample = blockIdx.x * blockDim.y + threadIdx.y;
    int neuron = blockIdx.y * blockDim.x + threadIdx.x;
    if (sample >= layer.samples || neuron >= layer.targets) return;
    Measured own = {layer, walk, sample, neuron, column + neuron};
    Heard heard = Heard::of(walk, below, sample, own.column);
    if (kind == READOUT_MAXIMUM) follow_recovering_to_maximum(own, recovery, heard);
    else add_up_recovering_mean(own, recovery, heard);
}

// Grids: as lif_forward, of the output layer.
extern "C" __global__ void measure_recurrent_recovering(Layer layer, Layer walk, Layer below, int column, int kind,
                                                        Recovery recovery) {
    measure_recovering<HeardTogether>(layer, walk, below, column, kind, recovery);
}
extern "C" __global__ void measure_queued_recovering(Layer layer, Layer walk, Layer below, int column, int kind,
                                                     Recovery recovery) {
    measure_recovering<HeardApart<CommonArrivals>>(layer, walk, below, column, kind, recovery);
}
extern "C" __global__ void measure_queued_recovering_delayed(Layer layer, Layer walk, Layer below, int column, int kind,
                                                             Recovery recovery) {
    measure_recovering<HeardApart<OwnArrivals>>(layer, walk, below, column, kind, recovery);
}

// A neuron on the way back of which a loss drives the voltage.
struct DrivenRecoveringAdjoint : RecoveringAdjoint {
    float by_mean;  // the loss's derivative by the mean of the voltage, if it looks at that
    float by_top;   // or by the highest one
    float top;      // when that is, or -1 behind that moment, or where it is that of a spike

    static __device__ __forceinline__ DrivenRecoveringAdjoint of(Place const& place, int sample, int spikes, int kind) {
        Layer const& its = place.layer;
        float derivative = DrivenByVoltage::derivative(its, sample, place.neuron);
        bool is_top = kind == READOUT_MAXIMUM;
        DrivenRecoveringAdjoint at = {RecoveringAdjoint::of(place, sample, spikes, kind), is_top ? 0.0f : derivative,
                                      is_top ? derivative : 0.0f, -1.0f};
        if (at.by_top != 0.0f) at.top = its.peaks[DrivenByVoltage::place(its, sample, place.neuron)];
        // Held to the end.
        if (at.leaves > its.duration) at.enter_reset(place, sample, its.decay);
        return at;
    }
    // The jump of lambda_V where the reset is left is kept for the gradient by constants.
    __device__ __forceinline__ void enter_reset(Place const& place, int sample, Decay const& decay) {
        place.member->recovery.drives[slot_of(place, sample, spikes - 1)] = mu_voltage / decay.tau_syn;
        RecoveringAdjoint::enter_reset(place, sample, decay);
    }
    // Back from `end` to `start`, between which nothing jumps.
    __device__ __forceinline__ void go_back(Place const& place, Decay const& decay, float start, float end) {
        // A part of lambda_V that follows the weight of the time solves its equation; the rest only decays.
        Mu from = driven(place, end), to = driven(place, start);
        mu_voltage -= from.mu_voltage;
        mu_current -= from.mu_current;
        ::sweep(mu_voltage, mu_current, record_of(decay, end - start, NO_EVENT), decay.ratio);
        mu_voltage += to.mu_voltage;
        mu_current += to.mu_current;
    }
    __device__ __forceinline__ Mu driven(Place const& place, float time) const {
        if (by_mean == 0.0f) return {0.0f, 0.0f};
        return DrivenByVoltage::of_mean(place.layer, place.neuron, by_mean, expf(-place.layer.rate * time));
    }
    __device__ __forceinline__ void sweep(Place const& place, int sample, Decay const& decay, Record const& interval,
                                          float start, float end) {
        // Held: lambda_V is 0.
        if (spikes > 0 && leaves == NO_SPIKE) {
            mu_current *= interval.syn;
            return;
        }
        bool is_release = leaves > start && leaves <= end;
        float from = is_release ? leaves : start;
#pragma unroll 1
        for (;;) {
            // What arrives at the moment of the highest voltage does not change it.
            bool passes_top = top > from && top <= end;
            go_back(place, decay, passes_top ? top : from, end);
            if (!passes_top) break;
            mu_voltage += by_top / decay.ratio;
            end = top;
            top = -1.0f;
        }
        if (!is_release) return;
        mu_current *= expf((start - leaves) / decay.tau_syn);
        enter_reset(place, sample, decay);
    }
    __device__ __forceinline__ float with_moved(float by_time, Place const& place, int sample, int event, int) const {
        if (by_top == 0.0f) return by_time;
        size_t own = DrivenByVoltage::place(place.layer, sample, place.neuron);
        bool moves = place.layer.peak_intervals[own] == event;
        return moves ? fmaf(by_top, place.layer.peak_currents[own], by_time) : by_time;
    }
    __device__ __forceinline__ void jump(Place const& place, int sample, Decay const& decay, float time, float error,
                                         Above above, int, int& grazing) {
        Layer const& its = place.layer;
        if (leaves != NO_SPIKE) enter_reset(place, sample, decay);
        size_t own = DrivenByVoltage::place(its, sample, place.neuron), slot = slot_of(place, sample, spikes - 1);
        if (by_mean != 0.0f) {
            // Later the voltage falls later.
            float fall = its.threshold[place.neuron] + place.member->recovery.mems[slot] - its.reset;
            error += by_mean / its.duration * expf(-its.rate * time) * fall;
        }
        bool is_top = by_top != 0.0f && top_spike(its, own) == spikes - 1;
        if (is_top) error += by_top * its.peak_currents[own];
        RecoveringAdjoint::jump(place, sample, decay, time, error, above, 0, grazing);
        if (!is_top) return;
        its.spike_slopes[slot] -= by_top / decay.tau_mem;
        mu_voltage += by_top / decay.ratio;
    }
};

// Grids and arguments: as the walks back of lif_recurrent_recovering.cu and lif_queued_recovering.cu, but that `kind` says
// what is measured.
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_recurrent_recovering_backward_driven(
    Layer layer, Control* control, int kind, int first, Layer below, Member const* members, int* states) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_recurrent_back<SeveralEach, DrivenRecoveringAdjoint>(below, layer, control, {}, kind, first, members, states,
                                                              sums);
}
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_queued_recovering_backward_driven(
    Layer layer, Control* control, int kind, int first, Layer below, Member const* members, int* states) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_queued_back<CommonArrivals, SeveralEach, DrivenRecoveringAdjoint>(below, layer, control, {}, kind, first,
                                                                           members, states, sums);
}
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_queued_recovering_backward_delayed_driven(
    Layer layer, Control* control, int kind, int first, Layer below, Member const* members, int* states) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_queued_back<OwnArrivals, SeveralEach, DrivenRecoveringAdjoint>(below, layer, control, {}, kind, first, members,
                                                                        states, sums);
}
