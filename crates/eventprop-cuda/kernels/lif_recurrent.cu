// Leaky integrate-and-fire neurons that hear one another: a block walks a sample from event to event,
// arrivals from below and the layer's own spikes alike. What it met becomes the records of the layer, in
// which the own neurons are sources after those below; the way back needs to know no more. Where several connections
// lead from the layer to itself a spike arrives over each, one after the other at one moment, and each has sources of
// its own.
#include "recurrent.cuh"

// What does not change for a neuron: the voltage is counted from its bias.
struct Bounds {
    float bias, threshold;

    static __device__ __forceinline__ Bounds of(Layer const&, Layer const&, int, Place const& place) {
        float bias = place.layer.bias[place.neuron];
        return {bias, place.layer.threshold[place.neuron] - bias};
    }
};

// A neuron just before what last happened in its layer, and its spikes so far.
struct Integrator {
    float u, current;
    int spikes;

    static __device__ __forceinline__ Integrator of(Bounds const& own) { return {-own.bias, 0.0f, 0}; }

    // To the end of an interval in which it does not spike.
    __device__ __forceinline__ void advance(Place const&, Bounds const&, int, Decay const&, Interval const& to, float) {
        u = fmaf(u, to.mem, current * to.drive);
        current *= to.syn;
    }
    // Its spike at this moment.
    __device__ __forceinline__ void spike(Place const& place, Bounds const& own, int sample, Decay const&, float now) {
        Layer const& its = place.layer;
        if (spikes < its.slots) {
            size_t slot = ((size_t)sample * its.slots + spikes) * its.stride + place.neuron;
            its.spike_times[slot] = now;
            its.spike_slopes[slot] = current - own.threshold;
        }
        spikes++;
        u = its.reset - own.bias;
    }
    // Its next one, as next_spike has it.
    __device__ __forceinline__ unsigned long long next(Place const&, Bounds const& own, Decay const& decay,
                                                       Interval const& ahead, float dt, float, unsigned tag) const {
        return next_spike(decay, u, current, own.threshold, ahead, dt, tag);
    }
};

template <template <class, class> class Neurons, class Integrator>
__device__ __forceinline__ void walk_recurrent(Layer const& below, Layer const& layer, Control* control,
                                               int copies, Member const* members, int* states,
                                               unsigned long long* earliest) {
    int sample = blockIdx.x;
    Decay const& decay = layer.decay;
    size_t row = (size_t)sample * layer.width;
    Record* records = layer.records + row;
    Record const* arrivals = below.records + (size_t)sample * below.width;
    float const* starts = below.times + (size_t)sample * below.width;
    int last = below.counts[sample];
    float now = 0.0f;
    int all_spikes = 0, heard = 0, record = 0;
    bool ran_away = false;
    // What happened last: the step to it, how long, who sent it, and whose spike it was, if it was one.
    Interval step = {1.0f, 1.0f, 0.0f};
    float elapsed = 0.0f;
    int source = -1, winner = -1;
    Neurons<Bounds, Integrator> neurons(below, layer, sample, members, states);
    neurons.begin([&](Place const&, Bounds const& own) { return Integrator::of(own); });
    if (threadIdx.x < 3) earliest[threadIdx.x] = NONE;
    __syncthreads();
    for (int turn = 0;; turn = (turn + 1) % 3) {
        float end = heard < last ? starts[heard + 1] : layer.duration;
        Interval rest = interval_of(decay, end - now);
        unsigned long long first = NONE;
        neurons.each([&](Place const& place, Bounds const& own, Integrator& at) {
            if (source >= 0) {
                Interval to = neurons.are_alike() ? step : interval_of(neurons.decay_of(place), elapsed);
                at.advance(place, own, sample, neurons.decay_of(place), to, elapsed);
                if (place.column == winner) at.spike(place, own, sample, neurons.decay_of(place), now);
                int arrivals = source < below.sources ? 1 : copies;
#pragma unroll 1
                for (int copy = 0; copy < arrivals; copy++) {
                    size_t row = (size_t)(source + copy * layer.targets) * layer.stride;
                    at.current += layer.weights[row + place.column];
                }
            }
            unsigned tag = at.spikes < MAX_SPIKES ? place.column : place.column | RUNS_AWAY;
            Decay const& own_decay = neurons.decay_of(place);
            Interval ahead = neurons.are_alike() ? rest : interval_of(own_decay, end - now);
            unsigned long long next = at.next(place, own, own_decay, ahead, end - now, now, tag);
            if (next < first) first = next;
        });
        if (first != NONE) atomicMin(&earliest[turn], first);
        __syncthreads();
        unsigned long long found = earliest[turn];
        if (threadIdx.x == 0) earliest[(turn + 2) % 3] = NONE;
        bool is_spike = found != NONE;
        winner = is_spike ? (int)(unsigned)found : -1;
        ran_away = is_spike && ((unsigned)winner & RUNS_AWAY);
        if (ran_away) break;
        step = rest;
        elapsed = end - now;
        if (is_spike) {
            elapsed = __uint_as_float((unsigned)(found >> 32));
            step = interval_of(decay, elapsed);
            end = fminf(now + elapsed, end);
        }
        int more = source < below.sources ? 0 : copies - 1;
        if (threadIdx.x == 0 && record + more < layer.width - 1) {
#pragma unroll 1
            for (int copy = 0; copy < more; copy++, source += layer.targets) {
                records[record + copy] = {1.0f, 1.0f, 0.0f, source};
                layer.times[row + record + copy] = now;
            }
            records[record + more] = {step.mem, step.syn, step.drive, source};
            layer.times[row + record + more] = now;
        }
        record += more;
        now = end;
        if (!is_spike && heard == last) break;
        source = is_spike ? below.sources + winner : arrivals[++heard].source;
        all_spikes += is_spike;
        record++;
    }
    neurons.each([&](Place const& place, Bounds const&, Integrator& at) {
        count_spikes(place, control, sample, at.spikes);
    });
    for (int s = threadIdx.x; s < layer.sources; s += blockDim.x) {
        layer.heads[(size_t)s * layer.samples + sample] = NO_EVENT;
    }
    __syncthreads();
    if (threadIdx.x != 0) return;
    int count = record;
    if (ran_away || count > layer.width - 2) {
        report(neurons, control, sample, winner, all_spikes);
        count = 0;
    }
    layer.counts[sample] = count;
    layer.times[row + count + 1] = layer.duration;
    // The arrivals of each source, linked from the last to the first.
    for (int event = count - 1; event >= 0; event--) {
        int* head = layer.heads + (size_t)records[event + 1].source * layer.samples + sample;
        int next = *head;
        layer.links[row + event] = next;
        *head = 2 * event + (next != NO_EVENT);
    }
}

struct NothingFixed {
    static __device__ __forceinline__ NothingFixed of(Layer const&, Layer const&, int, Place const&) { return {}; }
};

// `every_spike` is the kind of what is measured where a loss drives voltages.
template <template <class, class> class Neurons, class Adjoint>
__device__ __forceinline__ void walk_recurrent_back(Layer const& below, Layer const& layer, Control* control,
                                                    Above const& above, int every_spike, int first,
                                                    Member const* members, int* states,
                                                    float (*sums)[MAX_THREADS / WARP]) {
    // Where room lacked, spikes are among the records that are not among those kept.
    if (is_faulty(control)) return;
    int sample = first + (int)blockIdx.x;
    Record const* records = layer.records + (size_t)sample * layer.width;
    float const* times = layer.times + (size_t)sample * layer.width;
    Neurons<NothingFixed, Adjoint> neurons(below, layer, sample, members, states);
    neurons.begin([&](Place const& place, NothingFixed const&) {
        Layer const& its = place.layer;
        int spikes = its.spike_counts[(size_t)sample * its.stride + place.neuron];
        jumps_of(its, lane_of(sample, place.neuron), spikes);
        return Adjoint::of(place, sample, spikes, every_spike);
    });
    int heard = below.counts[sample], turn = 0, grazing = 0;
    float owed = 0.0f;  // the error of a spike where it arrived over later connections
    for (int r = layer.counts[sample]; r > 0; r--) {
        Record record = records[r];
        int sender = record.source - below.sources;
        bool wanted = sender >= 0 || layer.wants_errors;
        float part = 0.0f;
        float length = neurons.are_alike() ? 0.0f : times[r + 1] - times[r];
        neurons.each([&](Place const& place, NothingFixed const&, Adjoint& at) {
            Decay const& decay = neurons.decay_of(place);
            Record interval = neurons.are_alike() ? record : record_of(decay, length, record.source);
            at.sweep(place, sample, decay, interval, times[r], times[r + 1]);
            Mu mu = at.at_arrival(place, sample, times[r], every_spike);
            layer.mu[adjoint_place(layer, lane_of(sample, place.column), r - 1)] = mu.mu_current;
            if (!wanted) return;
            float weight = layer.weights[(size_t)record.source * layer.stride + place.column];
            part += weight * (mu.mu_current - mu.mu_voltage) / decay.tau_syn;
            part = at.with_moved(part, place, sample, r - 1, every_spike);
        });
        if (sender < 0) heard--;
        if (!wanted) continue;
        float error = block_sum(part, sums[turn]);
        turn ^= 1;
        if (sender < 0) {
            if (threadIdx.x == 0) below.errors[(size_t)sample * below.width + heard] = error;
            continue;
        }
        error += owed;
        owed = error;
        if (sender >= layer.targets) continue;
        owed = 0.0f;
        // The sender's spike ended the interval before.
        neurons.at(sender, [&](Place const& place, NothingFixed const&, Adjoint& at) {
            at.jump(place, sample, neurons.decay_of(place), times[r], error, above, every_spike, grazing);
        });
    }
    if (grazing > 0) atomicAdd(&control->grazing, (unsigned long long)grazing);
}

// Grid: a block a sample, a thread a neuron. `below` is what arrives from the layer below, `layer` what
// the neurons hear; `copies` connections lead from the layer to itself.
extern "C" __global__ void __launch_bounds__(MAX_THREADS) lif_recurrent(Layer below, Layer layer, Control* control,
                                                                        int copies) {
    // The earliest spike of three successive intervals: while one is sought, the one before is read and
    // the one after made ready.
    __shared__ unsigned long long earliest[3];
    walk_recurrent<OneEach, Integrator>(below, layer, control, copies, nullptr, nullptr, earliest);
}

// Grid: a block a sample, several neurons a thread, of one layer or of several. `layer` is then what all of them hear.
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_recurrent_large(
    Layer below, Layer layer, Control* control, int copies, Member const* members, int* states) {
    __shared__ unsigned long long earliest[3];
    walk_recurrent<SeveralEach, Integrator>(below, layer, control, copies, members, states, earliest);
}

// Grid: as lif_recurrent, over the samples from `first` on. The errors of what arrived from below, summed
// over all neurons, go to `below`.
extern "C" __global__ void __launch_bounds__(MAX_THREADS) lif_recurrent_backward(
    Layer layer, Control* control, float const* above_errors, int above_width, int above_tiles,
    int every_spike, int first, Layer below) {
    // The warps' sums, of one arrival and the next in turn.
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_recurrent_back<OneEach, Adjoint>(below, layer, control, {above_errors, above_width, above_tiles}, every_spike, first,
                                 nullptr, nullptr, sums);
}

extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_recurrent_backward_large(
    Layer layer, Control* control, int every_spike, int first, Layer below, Member const* members, int* states) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_recurrent_back<SeveralEach, Adjoint>(below, layer, control, {}, every_spike, first, members, states, sums);
}
