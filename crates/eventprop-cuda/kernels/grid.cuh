// The clock-driven model of lif_core::grid: what host and device share. src/grid/abi.rs mirrors these structures, field by
// field.
#pragma once
#include "types.cuh"

#define GRID_THREADS 256
// What a sample needs on its way lies in shared memory if it is no more than so many values.
#define GRID_SHARED 4096

// The inputs of a sample, as spans of the lists of a data set. What reaches the current at one step is a run; a run is cut
// into pieces, to be added up side by side.
struct __align__(16) GridSample {
    int first_run, runs, first_piece, pieces;
};
struct GridRun {
    int step;
    int first_piece, pieces;  // the first counted from the sample's first
};
struct GridPiece {
    int first, end;  // of the sources
};

// Spikes of many samples. The same spikes stand in `sources` by run, and in `runs_of_inputs` by input.
struct GridData {
    GridSample const* samples;
    GridRun const* runs;
    GridPiece const* pieces;
    int const* sources;         // [spike] the input
    int const* input_starts;    // [sample][inputs + 1] where the spikes of an input start among
    int const* runs_of_inputs;  // [spike] its run, counted from the sample's first
    int const* labels;          // [sample]
    int is_batch;               // whether samples (not labels) are those of the batch, in its order
    int unused;
};

// The same as a layer below leaves it, a batch at a time: samples have room for as many runs as there are steps, and for a
// spike of each neuron in each.
struct GridHeard {
    GridSample* samples;
    GridRun* runs;
    GridPiece* pieces;  // one a run
    int* sources;
    int* input_starts;
    int* runs_of_inputs;
    int* runs_of_steps;  // [sample][step] the run of the spikes sent there, or -1
};

// A layer on the grid and a batch of it. Rows of neurons are padded to a multiple of four (`stride`).
struct Grid {
    int samples;
    int inputs, neurons, stride;
    int steps;
    int words;        // of 32 steps
    int runs;         // of a sample, at most
    int pieces;       // of a sample, at most
    int is_first;     // the variant: `first` or `head`
    int silent_step;  // that of a neuron without a spike
    int stops_at_silence;  // whether a silent neuron makes the step faulty
    float membrane, keeps_voltage;  // a = dt / tau_mem and 1 - a
    float synapse, keeps_current;   // s = dt / tau_syn and 1 - s
    float threshold;
    float const* weights;  // [input][stride]
    float* gradient;       // the same shape
    // Of each sample.
    float* outputs;      // [sample][stride] the step of the first spike
    float* derivatives;  // [sample][stride]
    unsigned* fired;     // [sample][word][stride] a bit for each step with a spike
    int* counts;         // [sample][stride] spikes
    float* mu;           // [sample][run][stride] -lambda_I where a run arrives
    float* differences;  // of the same shape: lambda_V - lambda_I just before, seen backward; or null
    float* pulls;        // [sample][step][stride] the loss's derivative by spikes that a layer above hears; null in the last
    float* scratch;      // [sample][pieces + runs + steps][stride] where shared memory has no room; or null
    int* silent;         // [stride] not 0 if silent in some sample
    unsigned long long* activity;  // [stride] spikes since they were last asked for
};

__device__ __forceinline__ void add_to(float4& sum, float4 const& more) {
    sum.x += more.x;
    sum.y += more.y;
    sum.z += more.z;
    sum.w += more.w;
}

static_assert(sizeof(GridSample) == 16 && sizeof(GridData) == 64 && sizeof(GridHeard) == 56 && sizeof(Grid) == 160, "as in abi.rs");
