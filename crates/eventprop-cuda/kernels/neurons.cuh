// The neurons that a block walks, and what each remembers on the way: a thread a neuron, which keeps it in registers;
// or several a thread, of one layer or of several that hear one another, each perhaps with time constants of its own,
// and it lies in memory. Walks are written once,
// over either. `Fixed` is what does not change for a neuron, `State` what does.
#pragma once
#include "types.cuh"

// A block's threads at most, and where a thread has several neurons, which asks for more registers; then a
// multiprocessor must hold so many blocks: more would not leave registers enough.
#define MAX_THREADS 1024
#define MAX_SHARED_THREADS 768
#define SHARED_BLOCKS 1
// What a neuron remembers on any walk, at most, in words of 4 bytes: STATE_WORDS of `src/sizes.rs`.
#define STATE_WORDS 14

// A neuron of a walk: its column of the walk's matrices, its layer and its number there.
struct Place {
    Layer const& layer;
    int neuron, column;
    Member const* member;  // its layer's part in the walk; none where the walk is of one layer
};

template <class Fixed, class State>
struct OneEach {
    Layer const& layer;
    Fixed fixed;
    State state;

    __device__ __forceinline__ OneEach(Layer const& below, Layer const& layer, int sample, Member const*, int*)
        : layer(layer), fixed(Fixed::of(below, layer, sample, place((int)threadIdx.x))), state() {}

    __device__ __forceinline__ Place place(int column) const { return {layer, column, column, nullptr}; }
    // Whether an interval is the same for all neurons.
    static __device__ __forceinline__ bool are_alike() { return true; }
    static __device__ __forceinline__ Decay const& decay_of(Place const& place) { return place.layer.decay; }
    // Calls act(layer) for each layer of the walk.
    template <class Act>
    __device__ __forceinline__ void each_layer(Act const& act) const {
        act(layer);
    }

    // What each neuron of the thread starts with: make(place, fixed).
    template <class Make>
    __device__ __forceinline__ void begin(Make const& make) {
        state = make(place((int)threadIdx.x), fixed);
    }
    // Calls act(place, fixed, state), which may change the state, for each neuron of the thread.
    template <class Act>
    __device__ __forceinline__ void each(Act const& act) {
        act(place((int)threadIdx.x), fixed, state);
    }
    // The same for one neuron: its thread does it.
    template <class Act>
    __device__ __forceinline__ void at(int column, Act const& act) {
        if (column == (int)threadIdx.x) act(place(column), fixed, state);
    }
};

template <class Fixed, class State>
struct SeveralEach {
    static constexpr int words = sizeof(State) / sizeof(int);
    Layer const& below;
    Layer const& layer;
    int sample;
    Member const* members;
    int* states;  // [word][stride] of the sample

    // `states` has room for STATE_WORDS words a neuron and sample.
    __device__ __forceinline__ SeveralEach(Layer const& below, Layer const& layer, int sample, Member const* members,
                                           int* states)
        : below(below), layer(layer), sample(sample), members(members),
          states(states + (size_t)sample * STATE_WORDS * layer.stride) {
        static_assert(words <= STATE_WORDS && sizeof(State) == words * sizeof(int), "as in src/sizes.rs");
    }

    __device__ __forceinline__ Place place(int column) const {
        Member const* member = members;
        int neuron = column;
        for (; neuron >= member->layer.stride; member++) neuron -= member->layer.stride;
        return {member->layer, neuron, column, member};
    }
    __device__ __forceinline__ bool are_alike() const {
        return members->layer.stride == layer.stride && members->layer.decays == nullptr;
    }
    static __device__ __forceinline__ Decay const& decay_of(Place const& place) {
        Layer const& its = place.layer;
        return its.decays ? its.decays[place.neuron] : its.decay;
    }
    template <class Act>
    __device__ __forceinline__ void each_layer(Act const& act) const {
        Member const* member = members;
        for (int column = 0; column < layer.stride; column += member->layer.stride, member++) act(member->layer);
    }

    template <class Make>
    __device__ __forceinline__ void begin(Make const& make) {
        for (int column = threadIdx.x; column < layer.stride; column += blockDim.x) {
            Place own = place(column);
            keep(column, make(own, Fixed::of(below, layer, sample, own)));
        }
    }
    template <class Act>
    __device__ __forceinline__ void each(Act const& act) {
        for (int column = threadIdx.x; column < layer.stride; column += blockDim.x) visit(column, act);
    }
    template <class Act>
    __device__ __forceinline__ void at(int column, Act const& act) {
        if (column % (int)blockDim.x == (int)threadIdx.x) visit(column, act);
    }

    template <class Act>
    __device__ __forceinline__ void visit(int column, Act const& act) {
        int kept[words];
        for (int w = 0; w < words; w++) kept[w] = states[(size_t)w * layer.stride + column];
        State state;
        memcpy(&state, kept, sizeof state);
        Place own = place(column);
        act(own, Fixed::of(below, layer, sample, own), state);
        keep(column, state);
    }
    __device__ __forceinline__ void keep(int column, State const& state) {
        int kept[words];
        memcpy(kept, &state, sizeof state);
        for (int w = 0; w < words; w++) states[(size_t)w * layer.stride + column] = kept[w];
    }
};
