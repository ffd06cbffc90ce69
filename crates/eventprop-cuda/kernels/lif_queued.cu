// Leaky integrate-and-fire neurons that hear one another, or the layer below, with delays: each in an order of
// its own, which nobody knows before the spikes are found. A block goes from spike to spike. Each neuron walks
// ahead through what it knows to arrive, to its next spike or the end of a window of time; the earliest spike of
// all is one that happens, for nothing unknown can arrive before it. It is put into every neuron's queue, and
// those who went beyond its arrival go back to where they were sure. The events of the layer are those from
// below, in their order, then its own spikes by time, each as often as connections lead from the layer to itself.
#include "queue.cuh"
#include "recurrent.cuh"

// Arrivals from below in a window: each more may have to be walked again at a spike, each less asks for a
// barrier more.
#define WINDOW_ARRIVALS 4

// What does not change for a neuron: the voltage is counted from its bias.
template <class Arrivals>
struct Listener {
    float threshold;
    Arrivals arrivals;

    static __device__ __forceinline__ Listener of(Layer const& below, Layer const&, int sample, Place const& place) {
        float threshold = place.layer.threshold[place.neuron] - place.layer.bias[place.neuron];
        return {threshold, Arrivals::of(below, sample, place.column)};
    }
};

// A neuron just after what last happened to it, and how much it has heard.
struct Walker {
    float now, u, current;
    int below, own;
};

// What a neuron does on its way from one thing that happens to the next; `number` is that of its next spike.
struct AtOnce {
    static __device__ __forceinline__ AtOnce of() { return {}; }

    // Its voltage at `end`, without a spike.
    __device__ __forceinline__ float voltage(Place const&, int, Decay const&, Walker const& from, Interval const& step,
                                             float, int) const {
        return fmaf(from.u, step.mem, from.current * step.drive);
    }
    // Its next spike within the step, as next_spike has it.
    __device__ __forceinline__ unsigned long long next(Place const&, Decay const& decay, float threshold,
                                                       Walker const& from, Interval const& step, float dt,
                                                       unsigned tag) const {
        return next_spike(decay, from.u, from.current, threshold, step, dt, tag);
    }
    // Its spike at `time`, where the current is `current`: tau_mem times the slope.
    __device__ __forceinline__ float spike(Place const&, int, Decay const&, float threshold, Walker const&,
                                           float current, float, int) {
        return current - threshold;
    }
};

// A neuron where it is sure, and where it looks ahead.
template <class Way>
struct Looker : Way {
    Walker sure, ahead;
    int spikes, queued;  // its own, and those of the layer that are on the way to it
};

// The events from below become the layer's first: who sent them, and the next of each.
__device__ __forceinline__ void take_over(Layer const& below, Layer const& layer, int sample) {
    size_t from = (size_t)sample * below.width, to = (size_t)sample * layer.width;
    for (int e = threadIdx.x; e < below.counts[sample]; e += blockDim.x) {
        layer.records[to + 1 + e].source = below.records[from + 1 + e].source;
        layer.links[to + e] = below.links[from + e];
    }
    for (int s = threadIdx.x; s < below.sources; s += blockDim.x) {
        size_t place = (size_t)s * layer.samples + sample;
        layer.heads[place] = below.heads[place];
    }
}

// The neuron spikes at `time`, which is the events from number `event` on.
template <class Way>
__device__ __forceinline__ void spike(Layer const& below, Layer const& layer, int sample, Place const& place,
                                      Decay const& decay, float threshold, int event, int copies, float time,
                                      Looker<Way>& at) {
    Layer const& its = place.layer;
    size_t row = (size_t)sample * layer.width;
    Walker& ahead = at.ahead;
    float current = ahead.current * interval_of(decay, time - ahead.now).syn;
    float slope = at.spike(place, sample, decay, threshold, ahead, current, time, at.spikes);
    ahead.current = current;
    if (at.spikes < its.slots) {
        size_t slot = ((size_t)sample * its.slots + at.spikes) * its.stride + place.neuron;
        its.spike_times[slot] = time;
        its.spike_slopes[slot] = slope;
        its.spike_intervals[slot] = ahead.below + ahead.own;
    }
#pragma unroll 1
    for (int copy = 0; copy < copies; copy++) {
        int source = below.sources + copy * layer.targets + place.column;
        layer.records[row + 1 + event + copy].source = source;
        layer.times[row + 1 + event + copy] = time;
        // The last of a source is its first: none is looked for again.
        int* head = layer.heads + (size_t)source * layer.samples + sample;
        int next = *head;
        layer.links[row + event + copy] = next;
        *head = 2 * (event + copy) + (next != NO_EVENT);
    }
    at.spikes++;
    ahead.u = its.reset - its.bias[place.neuron];
    ahead.now = time;
}

template <class Arrivals, template <class, class> class Neurons, class Way>
__device__ __forceinline__ void walk_queued(Layer const& below, Layer const& layer, Control* control, int copies,
                                            Member const* members, int* states, unsigned long long* earliest) {
    typedef Listener<Arrivals> Fixed;
    int sample = blockIdx.x;
    int events = below.counts[sample];
    size_t row = (size_t)sample * layer.width;
    Record* records = layer.records + row + 1;

    take_over(below, layer, sample);
    Neurons<Fixed, Looker<Way>> neurons(below, layer, sample, members, states);
    neurons.begin([&](Place const& place, Fixed const&) {
#pragma unroll 1
        for (int copy = 0; copy < copies && place.column < layer.targets; copy++) {
            int source = below.sources + copy * layer.targets + place.column;
            layer.heads[(size_t)source * layer.samples + sample] = NO_EVENT;
        }
        Walker start = {0.0f, -place.layer.bias[place.neuron], 0.0f, 0, 0};
        return Looker<Way>{Way::of(), start, start, 0, 0};
    });
    if (threadIdx.x < 3) earliest[threadIdx.x] = NONE;
    __syncthreads();

    int window = 1, windows = 1 + events / WINDOW_ARRIVALS;
    float last = 0.0f;  // nobody spikes before
    // What the last turn found: whose spike, if any, and the first of its events; and the first of the next.
    int winner = NO_EVENT, latest = events, next_event = events;
    bool is_whole = true;
    for (int turn = 0;; turn = (turn + 1) % 3) {
        float horizon = window == windows ? layer.duration : layer.duration * ((float)window / windows);
        unsigned long long first = NONE;
        neurons.each([&](Place const& place, Fixed const& own, Looker<Way>& at) {
            Decay const& decay = neurons.decay_of(place);
            int column = place.column;
            Queue queue = Queue::of(below, layer, sample, column, at.queued);
            if (winner == column) {
                spike(below, layer, sample, place, decay, own.threshold, latest, copies, last, at);
            }
            if (at.ahead.now <= last) at.sure = at.ahead;
#pragma unroll 1
            for (int copy = 0; copy < copies && winner >= 0; copy++) {
                size_t row = (size_t)(winner + copy * layer.targets) * layer.stride;
                float arrives = last + (layer.delays ? layer.delays[row + column] : 0.0f);
                if (arrives > layer.duration) continue;
                queue.insert(arrives, latest + copy);
                if (arrives < at.ahead.now) at.ahead = at.sure;
            }
            at.queued = queue.count;

            unsigned tag = at.spikes < MAX_SPIKES ? column : column | RUNS_AWAY;
            unsigned long long next_own;
            float end;
            Walker& ahead = at.ahead;
            for (;;) {
                float from_below = ahead.below < own.arrivals.count ? own.arrivals.start(ahead.below + 1) : NEVER;
                float from_own = ahead.own < queue.count ? queue.time(ahead.own) : NEVER;
                float next = fminf(from_below, from_own);
                end = fminf(next, horizon);
                float dt = end - ahead.now;
                Interval step = interval_of(decay, dt);
                next_own = at.next(place, decay, own.threshold, ahead, step, dt, tag);
                if (next_own != NONE || next > horizon) break;
                int event = is_from_below(from_below, from_own) ? own.arrivals.event(++ahead.below)
                                                                : queue.event(ahead.own++);
                // What the spike just found left is not there for all before the next barrier.
                int source = event < latest ? records[event].source
                                            : below.sources + winner + (event - latest) * layer.targets;
                ahead.u = at.voltage(place, sample, decay, ahead, step, end, at.spikes);
                ahead.current = fmaf(ahead.current, step.syn, layer.weights[(size_t)source * layer.stride + column]);
                ahead.now = end;
            }
            if (next_own == NONE) return;
            float time = fminf(fmaxf(ahead.now + __uint_as_float((unsigned)(next_own >> 32)), last), end);
            unsigned long long key = (unsigned long long)__float_as_uint(time) << 32 | (unsigned)next_own;
            if (key < first) first = key;
        });
        if (first != NONE) atomicMin(&earliest[turn], first);
        __syncthreads();
        unsigned long long found = earliest[turn];
        if (threadIdx.x == 0) earliest[(turn + 2) % 3] = NONE;
        if (found == NONE) {
            if (window == windows) break;
            window++;
            last = horizon;
            winner = NO_EVENT;
            latest = next_event;
            continue;
        }
        winner = (int)(unsigned)found;
        is_whole = !((unsigned)winner & RUNS_AWAY) && next_event + copies - events <= Queue::room(below, layer);
        if (!is_whole) break;
        last = __uint_as_float((unsigned)(found >> 32));
        latest = next_event;
        next_event += copies;
    }
    neurons.each([&](Place const& place, Fixed const&, Looker<Way>& at) {
        count_spikes(place, control, sample, at.spikes);
        layer.heard_counts[(size_t)sample * layer.stride + place.column] = at.queued;
    });
    if (threadIdx.x != 0) return;
    layer.counts[sample] = is_whole ? next_event : 0;
    // How many more there are cannot be known: those that are not in the queues are not heard.
    if (!is_whole) report(neurons, control, sample, winner, 2 * Queue::room(below, layer) + 1);
}

// Grid: as lif_recurrent. Where the layer below is heard without delays its arrivals are the same for all.
extern "C" __global__ void __launch_bounds__(MAX_THREADS) lif_queued(Layer below, Layer layer, Control* control,
                                                                     int copies) {
    __shared__ unsigned long long earliest[3];
    walk_queued<CommonArrivals, OneEach, AtOnce>(below, layer, control, copies, nullptr, nullptr, earliest);
}
extern "C" __global__ void __launch_bounds__(MAX_THREADS) lif_queued_delayed(Layer below, Layer layer,
                                                                             Control* control, int copies) {
    __shared__ unsigned long long earliest[3];
    walk_queued<OwnArrivals, OneEach, AtOnce>(below, layer, control, copies, nullptr, nullptr, earliest);
}

// Grid: as lif_recurrent_large.
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_queued_large(
    Layer below, Layer layer, Control* control, int copies, Member const* members, int* states) {
    __shared__ unsigned long long earliest[3];
    walk_queued<CommonArrivals, SeveralEach, AtOnce>(below, layer, control, copies, members, states, earliest);
}
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_queued_delayed_large(
    Layer below, Layer layer, Control* control, int copies, Member const* members, int* states) {
    __shared__ unsigned long long earliest[3];
    walk_queued<OwnArrivals, SeveralEach, AtOnce>(below, layer, control, copies, members, states, earliest);
}
