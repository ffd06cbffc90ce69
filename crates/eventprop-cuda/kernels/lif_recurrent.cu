// Leaky integrate-and-fire neurons that hear one another: a block walks a sample from event to event,
// arrivals from below and the layer's own spikes alike. What it met becomes the records of the layer, in
// which the own neurons are sources after those below; the way back needs to know no more.
#include "recurrent.cuh"

// Grid: a block a sample, a thread a neuron. `below` is what arrives from the layer below, `layer` what
// the neurons hear.
extern "C" __global__ void __launch_bounds__(MAX_RECURRENT) lif_recurrent(Layer below, Layer layer,
                                                                          Control* control) {
    // The earliest spike of three successive intervals: while one is sought, the one before is read and
    // the one after made ready.
    __shared__ unsigned long long earliest[3];
    int sample = blockIdx.x, neuron = threadIdx.x;
    size_t row = (size_t)sample * layer.width;
    Record* records = layer.records + row;
    Record const* arrivals = below.records + (size_t)sample * below.width;
    float const* starts = below.times + (size_t)sample * below.width;
    float const* weights = layer.weights + neuron;
    int last = below.counts[sample];
    float bias = layer.bias[neuron];
    float threshold = layer.threshold[neuron] - bias;
    float u = -bias, current = 0.0f, now = 0.0f;
    int spikes = 0, all_spikes = 0, heard = 0, record = 0, source = -1;
    bool ran_away = false;
    if (neuron < 3) earliest[neuron] = NONE;
    __syncthreads();
    for (int turn = 0;; turn = (turn + 1) % 3) {
        float end = heard < last ? starts[heard + 1] : layer.duration;
        Interval step = interval_of(layer.decay, end - now);
        unsigned tag = spikes < MAX_SPIKES ? neuron : neuron | RUNS_AWAY;
        unsigned long long own =
            next_spike(layer.decay, u, current, threshold, step, end - now, tag);
        if (own != NONE) atomicMin(&earliest[turn], own);
        __syncthreads();
        unsigned long long found = earliest[turn];
        if (neuron == 0) earliest[(turn + 2) % 3] = NONE;
        bool is_spike = found != NONE;
        unsigned winner = (unsigned)found;
        if (is_spike && (winner & RUNS_AWAY)) {
            ran_away = true;
            break;
        }
        if (is_spike) {
            float dt = __uint_as_float((unsigned)(found >> 32));
            step = interval_of(layer.decay, dt);
            end = fminf(now + dt, end);
        }
        u = fmaf(u, step.mem, current * step.drive);
        current *= step.syn;
        if (is_spike && winner == (unsigned)neuron) {
            if (spikes < layer.slots) {
                size_t slot = ((size_t)sample * layer.slots + spikes) * layer.stride + neuron;
                layer.spike_times[slot] = end;
                layer.spike_slopes[slot] = current - threshold;
            }
            spikes++;
            u = layer.reset - bias;
        }
        bool has_room = record < layer.width - 1;
        if (neuron == 0 && has_room) {
            records[record] = {step.mem, step.syn, step.drive, source};
            layer.times[row + record] = now;
        }
        now = end;
        if (!is_spike && heard == last) break;
        all_spikes += is_spike;
        source = is_spike ? below.sources + (int)winner : arrivals[++heard].source;
        current += weights[(size_t)source * layer.stride];
        record++;
    }
    layer.spike_counts[(size_t)sample * layer.stride + neuron] = min(spikes, layer.slots);
    if (spikes > layer.slots) {
        atomicMax(&layer.needed[0], spikes);
        atomicMax(&control->faults.capacity, 1);
    }
    for (int s = neuron; s < layer.sources; s += layer.stride) {
        layer.heads[(size_t)s * layer.samples + sample] = NO_EVENT;
    }
    __syncthreads();
    if (neuron != 0) return;
    int count = record;
    if (ran_away) {
        unsigned long long place = (unsigned long long)layer.layer << 32 | (unsigned)sample;
        atomicMin(&control->faults.runaway, place);
        count = 0;
    } else if (count > layer.width - 2) {
        atomicMax(&layer.needed[1], all_spikes);
        atomicMax(&control->faults.capacity, 1);
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

// Grid: as lif_recurrent, over the samples from `first` on. The errors of what arrived from below, summed
// over all neurons, go to `below`.
extern "C" __global__ void __launch_bounds__(MAX_RECURRENT) lif_recurrent_backward(
    Layer layer, Control* control, float const* above_errors, int above_width, int above_tiles,
    int every_spike, int first, Layer below) {
    // The warps' sums, of one arrival and the next in turn.
    __shared__ float sums[2][MAX_RECURRENT / WARP];
    // Where room lacked, spikes are among the records that are not among those kept.
    if (is_faulty(control)) return;
    Lane lane = {first + (int)blockIdx.x, (int)threadIdx.x, (int)threadIdx.x / WARP, true};
    Record const* records = layer.records + (size_t)lane.sample * layer.width;
    Decay const& decay = layer.decay;
    float const* weights = layer.weights + lane.neuron;
    int spikes = layer.spike_counts[(size_t)lane.sample * layer.stride + lane.neuron];
    Jumps jumps = jumps_of(layer, lane, spikes);
    float mu_voltage = 0.0f, mu_current = 0.0f;
    int k = spikes, heard = below.counts[lane.sample], turn = 0;
    for (int r = layer.counts[lane.sample]; r >= 0; r--) {
        Record record = records[r];
        sweep(mu_voltage, mu_current, record, decay.ratio);
        if (r == 0) break;
        size_t place = (size_t)(lane.sample % layer.chunk) * layer.width + (r - 1);
        layer.mu[place * layer.stride + lane.neuron] = mu_current;
        int sender = record.source - below.sources;
        if (sender < 0) heard--;
        if (sender < 0 && !layer.wants_errors) continue;

        // The error of the arrival, in the order of warps.
        float weight = weights[(size_t)record.source * layer.stride];
        float part = warp_sum(weight * (mu_current - mu_voltage) / decay.tau_syn);
        if (lane.neuron % WARP == 0) sums[turn][lane.tile] = part;
        __syncthreads();
        float error = 0.0f;
        for (int tile = 0; tile < layer.tiles; tile++) error += sums[turn][tile];
        turn ^= 1;
        if (sender < 0) {
            if (lane.neuron == 0) {
                below.errors[(size_t)lane.sample * below.width + heard] = error;
            }
        } else if (sender == lane.neuron) {
            // The neuron's own spike, which ended the interval before.
            k--;
            size_t slot = ((size_t)lane.sample * layer.slots + k) * layer.stride + lane.neuron;
            float after = mu_voltage / -decay.tau_syn;
            error += spike_error(layer, lane, k, slot, above_errors, above_width, above_tiles,
                                 every_spike);
            float before = before_spike(jumps, layer.spike_slopes[slot], after, error);
            mu_voltage = before * -decay.tau_syn;
        }
    }
    if (jumps.grazing > 0) atomicAdd(&control->grazing, (unsigned long long)jumps.grazing);
}
