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

    static __device__ __forceinline__ Listener of(Layer const& below, Layer const& layer, int sample, int neuron) {
        return {layer.threshold[neuron] - layer.bias[neuron], Arrivals::of(below, sample, neuron)};
    }
};

// A neuron just after what last happened to it, and how much it has heard.
struct Walker {
    float now, u, current;
    int below, own;
};

// A neuron where it is sure, and where it looks ahead.
struct Looker {
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
__device__ __forceinline__ void spike(Layer const& below, Layer const& layer, int sample, int neuron, float threshold,
                                      int event, int copies, float time, Looker& at) {
    size_t row = (size_t)sample * layer.width;
    Walker& ahead = at.ahead;
    ahead.current *= interval_of(layer.decay, time - ahead.now).syn;
    if (at.spikes < layer.slots) {
        size_t slot = ((size_t)sample * layer.slots + at.spikes) * layer.stride + neuron;
        layer.spike_times[slot] = time;
        layer.spike_slopes[slot] = ahead.current - threshold;
        layer.spike_intervals[slot] = ahead.below + ahead.own;
    }
#pragma unroll 1
    for (int copy = 0; copy < copies; copy++) {
        int source = below.sources + copy * layer.targets + neuron;
        layer.records[row + 1 + event + copy].source = source;
        layer.times[row + 1 + event + copy] = time;
        // The last of a source is its first: none is looked for again.
        int* head = layer.heads + (size_t)source * layer.samples + sample;
        int next = *head;
        layer.links[row + event + copy] = next;
        *head = 2 * (event + copy) + (next != NO_EVENT);
    }
    at.spikes++;
    ahead.u = layer.reset - layer.bias[neuron];
    ahead.now = time;
}

template <class Arrivals, template <class, class> class Neurons>
__device__ __forceinline__ void walk_queued(Layer const& below, Layer const& layer, Control* control, int* states,
                                            unsigned long long* earliest) {
    typedef Listener<Arrivals> Fixed;
    int sample = blockIdx.x;
    Decay const& decay = layer.decay;
    int events = below.counts[sample], copies = copies_of(below, layer);
    size_t row = (size_t)sample * layer.width;
    Record* records = layer.records + row + 1;

    take_over(below, layer, sample);
    Neurons<Fixed, Looker> neurons(below, layer, sample, states);
    neurons.begin([&](int neuron, Fixed const&) {
#pragma unroll 1
        for (int copy = 0; copy < copies && neuron < layer.targets; copy++) {
            int source = below.sources + copy * layer.targets + neuron;
            layer.heads[(size_t)source * layer.samples + sample] = NO_EVENT;
        }
        Walker start = {0.0f, -layer.bias[neuron], 0.0f, 0, 0};
        return Looker{start, start, 0, 0};
    });
    if (threadIdx.x < 3) earliest[threadIdx.x] = NONE;
    __syncthreads();

    int window = 1, windows = 1 + events / WINDOW_ARRIVALS;
    float last = 0.0f;  // nobody spikes before
    // What the last turn found: whose spike, if any, and the first of its events; and the first of the next.
    int winner = NO_EVENT, latest = events, next_event = events;
    bool ran_away = false, lacks_room = false;
    for (int turn = 0;; turn = (turn + 1) % 3) {
        float horizon = window == windows ? layer.duration : layer.duration * ((float)window / windows);
        unsigned long long first = NONE;
        neurons.each([&](int neuron, Fixed const& own, Looker& at) {
            Queue queue = Queue::of(below, layer, sample, neuron, at.queued);
            if (winner == neuron) {
                spike(below, layer, sample, neuron, own.threshold, latest, copies, last, at);
            }
            if (at.ahead.now <= last) at.sure = at.ahead;
#pragma unroll 1
            for (int copy = 0; copy < copies && winner >= 0; copy++) {
                size_t row = (size_t)(winner + copy * layer.targets) * layer.stride;
                float arrives = last + (layer.delays ? layer.delays[row + neuron] : 0.0f);
                if (arrives > layer.duration) continue;
                queue.insert(arrives, latest + copy);
                if (arrives < at.ahead.now) at.ahead = at.sure;
            }
            at.queued = queue.count;

            unsigned tag = at.spikes < MAX_SPIKES ? neuron : neuron | RUNS_AWAY;
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
                next_own = next_spike(decay, ahead.u, ahead.current, own.threshold, step, dt, tag);
                if (next_own != NONE || next > horizon) break;
                int event = is_from_below(from_below, from_own) ? own.arrivals.event(++ahead.below)
                                                                : queue.event(ahead.own++);
                // What the spike just found left is not there for all before the next barrier.
                int source = event < latest ? records[event].source
                                            : below.sources + winner + (event - latest) * layer.targets;
                ahead.u = fmaf(ahead.u, step.mem, ahead.current * step.drive);
                ahead.current = fmaf(ahead.current, step.syn, layer.weights[(size_t)source * layer.stride + neuron]);
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
        ran_away = (unsigned)found & RUNS_AWAY;
        lacks_room = next_event + copies - events > Queue::room(below, layer);
        if (ran_away || lacks_room) break;
        last = __uint_as_float((unsigned)(found >> 32));
        winner = (int)(unsigned)found;
        latest = next_event;
        next_event += copies;
    }
    neurons.each([&](int neuron, Fixed const&, Looker& at) {
        layer.spike_counts[(size_t)sample * layer.stride + neuron] = min(at.spikes, layer.slots);
        layer.heard_counts[(size_t)sample * layer.stride + neuron] = at.queued;
        if (at.spikes > layer.slots) {
            atomicMax(&layer.needed[0], at.spikes);
            atomicMax(&control->faults.capacity, 1);
        }
    });
    if (threadIdx.x != 0) return;
    layer.counts[sample] = ran_away || lacks_room ? 0 : next_event;
    if (ran_away) {
        unsigned long long place = (unsigned long long)layer.layer << 32 | (unsigned)sample;
        atomicMin(&control->faults.runaway, place);
    } else if (lacks_room) {
        // How many more there are cannot be known: those that are not in the queues are not heard.
        atomicMax(&layer.needed[1], 2 * (next_event - events) / copies + 1);
        atomicMax(&control->faults.capacity, 1);
    }
}

// Grid: as lif_recurrent. Where the layer below is heard without delays its arrivals are the same for all.
extern "C" __global__ void __launch_bounds__(MAX_THREADS) lif_queued(Layer below, Layer layer, Control* control) {
    __shared__ unsigned long long earliest[3];
    walk_queued<CommonArrivals, OneEach>(below, layer, control, nullptr, earliest);
}
extern "C" __global__ void __launch_bounds__(MAX_THREADS) lif_queued_delayed(Layer below, Layer layer,
                                                                             Control* control) {
    __shared__ unsigned long long earliest[3];
    walk_queued<OwnArrivals, OneEach>(below, layer, control, nullptr, earliest);
}

// Grid: as lif_recurrent_large.
extern "C" __global__ void __launch_bounds__(MAX_THREADS) lif_queued_large(Layer below, Layer layer, Control* control,
                                                                           int* states) {
    __shared__ unsigned long long earliest[3];
    walk_queued<CommonArrivals, SeveralEach>(below, layer, control, states, earliest);
}
extern "C" __global__ void __launch_bounds__(MAX_THREADS) lif_queued_delayed_large(Layer below, Layer layer,
                                                                                   Control* control, int* states) {
    __shared__ unsigned long long earliest[3];
    walk_queued<OwnArrivals, SeveralEach>(below, layer, control, states, earliest);
}
