// The neurons of a layer that a block walks, and what each remembers on the way: a thread a neuron, which keeps it in
// registers; or, in a layer of more neurons than a block has threads, several a thread, and it lies in memory. Walks
// are written once, over either. `Fixed` is what does not change for a neuron, `State` what does.
#pragma once
#include "types.cuh"

// A block's threads at most.
#define MAX_THREADS 1024
// What a neuron remembers on any walk, at most, in words of 4 bytes: STATE_WORDS of `src/sizes.rs`.
#define STATE_WORDS 12

template <class Fixed, class State>
struct OneEach {
    Fixed fixed;
    State state;

    __device__ __forceinline__ OneEach(Layer const& below, Layer const& layer, int sample, int*)
        : fixed(Fixed::of(below, layer, sample, (int)threadIdx.x)), state() {}

    // What each neuron of the thread starts with: make(neuron, fixed).
    template <class Make>
    __device__ __forceinline__ void begin(Make const& make) {
        state = make((int)threadIdx.x, fixed);
    }
    // Calls act(neuron, fixed, state), which may change the state, for each neuron of the thread.
    template <class Act>
    __device__ __forceinline__ void each(Act const& act) {
        act((int)threadIdx.x, fixed, state);
    }
    // The same for one neuron of the layer: its thread does it.
    template <class Act>
    __device__ __forceinline__ void at(int neuron, Act const& act) {
        if (neuron == (int)threadIdx.x) act(neuron, fixed, state);
    }
};

template <class Fixed, class State>
struct SeveralEach {
    static constexpr int words = sizeof(State) / sizeof(int);
    Layer const& below;
    Layer const& layer;
    int sample;
    int* states;  // [word][stride] of the sample

    // `states` has room for STATE_WORDS words a neuron and sample.
    __device__ __forceinline__ SeveralEach(Layer const& below, Layer const& layer, int sample, int* states)
        : below(below), layer(layer), sample(sample),
          states(states + (size_t)sample * STATE_WORDS * layer.stride) {
        static_assert(words <= STATE_WORDS && sizeof(State) == words * sizeof(int), "as in src/sizes.rs");
    }

    template <class Make>
    __device__ __forceinline__ void begin(Make const& make) {
        for (int neuron = threadIdx.x; neuron < layer.stride; neuron += blockDim.x) {
            keep(neuron, make(neuron, Fixed::of(below, layer, sample, neuron)));
        }
    }
    template <class Act>
    __device__ __forceinline__ void each(Act const& act) {
        for (int neuron = threadIdx.x; neuron < layer.stride; neuron += blockDim.x) visit(neuron, act);
    }
    template <class Act>
    __device__ __forceinline__ void at(int neuron, Act const& act) {
        if (neuron % (int)blockDim.x == (int)threadIdx.x) visit(neuron, act);
    }

    template <class Act>
    __device__ __forceinline__ void visit(int neuron, Act const& act) {
        int kept[words];
        for (int w = 0; w < words; w++) kept[w] = states[(size_t)w * layer.stride + neuron];
        State state;
        __builtin_memcpy(&state, kept, sizeof state);
        act(neuron, Fixed::of(below, layer, sample, neuron), state);
        keep(neuron, state);
    }
    __device__ __forceinline__ void keep(int neuron, State const& state) {
        int kept[words];
        __builtin_memcpy(kept, &state, sizeof state);
        for (int w = 0; w < words; w++) states[(size_t)w * layer.stride + neuron] = kept[w];
    }
};
