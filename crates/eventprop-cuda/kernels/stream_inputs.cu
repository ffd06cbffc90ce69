// From the spikes of the step's samples in the data set to the records of the first layer.
#include "decay.cuh"

// Grid: a block a sample.
extern "C" __global__ void stream_inputs(Layer layer, Control const* control, Step const* steps,
                                         int const* order, int const* offsets,
                                         float const* data_times, int const* data_sources,
                                         int const* data_links) {
    int sample = blockIdx.x;
    int origin = order[steps[control->cursor].first + sample];
    int first = offsets[origin];
    int given = offsets[origin + 1] - first;
    float const* times = data_times + first;
    __shared__ int arrivals;
    if (threadIdx.x == 0) arrivals = 0;
    for (int s = threadIdx.x; s < layer.sources; s += blockDim.x) {
        layer.heads[(size_t)s * layer.samples + sample] = NO_EVENT;
    }
    __syncthreads();
    // Spikes after the duration never arrive; the last that does says how many do.
    for (int e = threadIdx.x; e < given; e += blockDim.x) {
        bool arrives = times[e] <= layer.duration;
        bool is_last = e + 1 == given || times[e + 1] > layer.duration;
        if (arrives && is_last) arrivals = e + 1;
    }
    __syncthreads();
    int count = arrivals;
    size_t row = (size_t)sample * layer.width;
    if (threadIdx.x == 0) layer.counts[sample] = count;
    for (int r = threadIdx.x; r <= count + 1; r += blockDim.x) {
        float start = r == 0 ? 0.0f : r <= count ? times[r - 1] : layer.duration;
        layer.times[row + r] = start;
        layer.factors[row + r] = expf(-layer.rate * start);
        if (r > count) break;
        float end = r < count ? times[r] : layer.duration;
        int source = r == 0 ? -1 : data_sources[first + r - 1];
        layer.records[row + r] = record_of(layer.decay, end - start, source);
        if (r == 0) continue;
        // A link holds 4 next + 2 (has a next) + (is the first of its source).
        int link = data_links[first + r - 1];
        int next = link >> 2;
        bool has_next = (link & 2) && next < count;
        bool next_has_next = false;
        if (has_next) {
            int after = data_links[first + next];
            next_has_next = (after & 2) && (after >> 2) < count;
        }
        layer.links[row + r - 1] = has_next ? 2 * next + next_has_next : NO_EVENT;
        if (link & 1) {
            layer.heads[(size_t)source * layer.samples + sample] = 2 * (r - 1) + has_next;
        }
    }
}
