// Leaky integrate-and-fire neurons that hear one another, or the layer below, with delays: each in an order of
// its own, which nobody knows before the spikes are found. A block goes from spike to spike. Each neuron walks
// ahead through what it knows to arrive, to its next spike or the end of a window of time; the earliest spike of
// all is one that happens, for nothing unknown can arrive before it. It is put into every neuron's queue, and
// those who went beyond its arrival go back to where they were sure. The events of the layer are those from
// below, in their order, then its own spikes by time.
#include "queue.cuh"
#include "recurrent.cuh"

// Arrivals from below in a window: each more may have to be walked again at a spike, each less asks for a
// barrier more.
#define WINDOW_ARRIVALS 4

// A neuron just after what last happened to it, and how much it has heard.
struct Walker {
    float now, u, current;
    int below, own;
};

// The events from below become the layer's first: who sent them, and the next of each.
__device__ __forceinline__ void take_over(Layer const& below, Layer const& layer, int sample, int neuron) {
    size_t from = (size_t)sample * below.width, to = (size_t)sample * layer.width;
    for (int e = neuron; e < below.counts[sample]; e += layer.stride) {
        layer.records[to + 1 + e].source = below.records[from + 1 + e].source;
        layer.links[to + e] = below.links[from + e];
    }
    for (int s = neuron; s < below.sources; s += layer.stride) {
        size_t place = (size_t)s * layer.samples + sample;
        layer.heads[place] = below.heads[place];
    }
}

template <class Arrivals>
__device__ __forceinline__ void walk_queued(Layer const& below, Layer const& layer, Control* control,
                                            unsigned long long* earliest) {
    int sample = blockIdx.x, neuron = threadIdx.x;
    Decay const& decay = layer.decay;
    Arrivals arrivals = Arrivals::of(below, sample, neuron);
    Queue queue = Queue::of(below, layer, sample, neuron, 0);
    int events = below.counts[sample], room = Queue::room(below, layer);
    size_t row = (size_t)sample * layer.width;
    Record* records = layer.records + row + 1;
    float const* weights = layer.weights + neuron;
    float bias = layer.bias[neuron];
    float threshold = layer.threshold[neuron] - bias;

    take_over(below, layer, sample, neuron);
    // Where the neuron's last spike is noted.
    int* link = layer.heads + (size_t)(below.sources + neuron) * layer.samples + sample;
    if (neuron < layer.targets) *link = NO_EVENT;
    if (neuron < 3) earliest[neuron] = NONE;
    __syncthreads();

    Walker sure = {0.0f, -bias, 0.0f, 0, 0}, ahead = sure;
    int window = 1, windows = 1 + events / WINDOW_ARRIVALS;
    float last = 0.0f;  // nobody spikes before
    int spikes = 0, all_spikes = 0, latest = NO_EVENT, sender = -1;
    bool ran_away = false, lacks_room = false;
    for (int turn = 0;; turn = (turn + 1) % 3) {
        float horizon = window == windows ? layer.duration : layer.duration * ((float)window / windows);
        unsigned tag = spikes < MAX_SPIKES ? neuron : neuron | RUNS_AWAY;
        unsigned long long own;
        float end;
        for (;;) {
            float from_below = ahead.below < arrivals.count ? arrivals.start(ahead.below + 1) : NEVER;
            float from_own = ahead.own < queue.count ? queue.time(ahead.own) : NEVER;
            float next = fminf(from_below, from_own);
            end = fminf(next, horizon);
            float dt = end - ahead.now;
            Interval step = interval_of(decay, dt);
            own = next_spike(decay, ahead.u, ahead.current, threshold, step, dt, tag);
            if (own != NONE || next > horizon) break;
            int event = is_from_below(from_below, from_own) ? arrivals.event(++ahead.below)
                                                            : queue.event(ahead.own++);
            // What the last spike left is not there for all before the next barrier.
            int source = event == latest ? sender : records[event].source;
            ahead.u = fmaf(ahead.u, step.mem, ahead.current * step.drive);
            ahead.current = fmaf(ahead.current, step.syn, weights[(size_t)source * layer.stride]);
            ahead.now = end;
        }
        float elapsed = __uint_as_float((unsigned)(own >> 32));
        if (own != NONE) {
            float time = fminf(fmaxf(ahead.now + elapsed, last), end);
            atomicMin(&earliest[turn], (unsigned long long)__float_as_uint(time) << 32 | (unsigned)own);
        }
        __syncthreads();
        unsigned long long found = earliest[turn];
        if (neuron == 0) earliest[(turn + 2) % 3] = NONE;
        if (found == NONE) {
            if (window == windows) break;
            window++;
            last = horizon;
            sure = ahead;
            continue;
        }
        unsigned winner = (unsigned)found;
        ran_away = winner & RUNS_AWAY;
        lacks_room = all_spikes == room;
        if (ran_away || lacks_room) break;

        last = __uint_as_float((unsigned)(found >> 32));
        sender = below.sources + (int)winner;
        latest = events + all_spikes++;
        if (winner == (unsigned)neuron) {
            ahead.current *= interval_of(decay, elapsed).syn;
            if (spikes < layer.slots) {
                size_t slot = ((size_t)sample * layer.slots + spikes) * layer.stride + neuron;
                layer.spike_times[slot] = last;
                layer.spike_slopes[slot] = ahead.current - threshold;
                layer.spike_intervals[slot] = ahead.below + ahead.own;
            }
            records[latest].source = sender;
            layer.times[row + 1 + latest] = last;
            if (spikes > 0) {
                int before = *link >> 1;
                *link = 2 * before + 1;
                link = layer.links + row + before;
            }
            *link = 2 * latest;
            spikes++;
            ahead.u = layer.reset - bias;
            ahead.now = last;
        }
        if (ahead.now <= last) sure = ahead;
        float delay = layer.delays ? layer.delays[(size_t)winner * layer.stride + neuron] : 0.0f;
        float arrives = last + delay;
        if (arrives <= layer.duration) {
            queue.insert(arrives, latest);
            if (arrives < ahead.now) ahead = sure;
        }
    }
    layer.spike_counts[(size_t)sample * layer.stride + neuron] = min(spikes, layer.slots);
    layer.heard_counts[(size_t)sample * layer.stride + neuron] = queue.count;
    if (spikes > layer.slots) {
        atomicMax(&layer.needed[0], spikes);
        atomicMax(&control->faults.capacity, 1);
    }
    if (neuron != 0) return;
    layer.counts[sample] = ran_away || lacks_room ? 0 : events + all_spikes;
    if (ran_away) {
        unsigned long long place = (unsigned long long)layer.layer << 32 | (unsigned)sample;
        atomicMin(&control->faults.runaway, place);
    } else if (lacks_room) {
        // How many more there are cannot be known: those that are not in the queues are not heard.
        atomicMax(&layer.needed[1], 2 * room + 1);
        atomicMax(&control->faults.capacity, 1);
    }
}

// Grid: as lif_recurrent. Where the layer below is heard without delays its arrivals are the same for all.
extern "C" __global__ void __launch_bounds__(MAX_RECURRENT) lif_queued(Layer below, Layer layer,
                                                                       Control* control) {
    __shared__ unsigned long long earliest[3];
    walk_queued<CommonArrivals>(below, layer, control, earliest);
}
extern "C" __global__ void __launch_bounds__(MAX_RECURRENT) lif_queued_delayed(Layer below, Layer layer,
                                                                               Control* control) {
    __shared__ unsigned long long earliest[3];
    walk_queued<OwnArrivals>(below, layer, control, earliest);
}
