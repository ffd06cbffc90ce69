// What host and device share. src/abi.rs mirrors these structures, field by field.
#pragma once

#define WARP 32
#define FULL_WARP 0xffffffffu
#define NO_EVENT (-1)

// A neuron that spikes more often in one sample has run away.
#define MAX_SPIKES 10000

// An interval between two arrivals of a sample. Record 0 is the interval from time 0 to the first
// arrival; record e + 1 starts with arrival e.
struct __align__(16) Record {
    float mem;    // decay of the voltage over the interval
    float syn;    // decay of the current
    float drive;  // what the current adds to the voltage
    int source;   // the neuron that sent the arrival, -1 for record 0
};

// How voltage and current of a layer decay.
struct Decay {
    float tau_mem, tau_syn;
    float difference;  // 1/tau_syn - 1/tau_mem
    float gain;        // tau_syn/(tau_mem - tau_syn)
    float ratio;       // tau_mem/tau_syn
    int integer_ratio; // the same where it is an integer of 2 to 10, else 0
};

// A layer above the input, the connection into it and its part of a batch. Rows of neurons are
// padded to a multiple of a warp (`stride`); padding neurons have no weights and never spike.
struct Layer {
    int layer;     // its position in the network
    int sources, targets, stride;
    int width;     // records a sample, at most: arrivals + 2
    int slots;     // spikes a neuron and sample that are kept
    int samples;   // of the batch
    int tiles;     // stride / WARP
    int chunk;     // samples whose `mu` is kept at once
    int wants_errors;  // whether the layer below needs errors
    float duration, reset, rate, slope_floor, target_count, target_strength;
    Decay decay;
    float const* weights;    // [source][stride]
    float const* delays;     // [source][stride] in ms; null where synapses have none; see below for recurrent layers
    float* gradient;         // the same shape
    float const* bias;       // [stride]
    float const* threshold;  // [stride]; infinite where there is no neuron
    // What arrives.
    int* counts;      // [sample] number of arrivals
    Record* records;  // [sample][width]
    float* times;     // [sample][width] start of each record; after the last: the duration
    float* factors;   // [sample][width] exp(-rate time)
    int* heads;       // [source][sample] first arrival of a source: 2 e + (whether it has a next)
    int* links;       // [sample][width] the next of the same source, in the same form
    float* errors;    // [sample][width][tiles] parts of the loss's derivative by an arrival's time
    float* mu;        // [sample of chunk][width][stride] -tau_syn lambda_I at each arrival
    // Where synapses have delays. Of a recurrent layer, delays and arrivals are those of its own spikes; what
    // comes from below is described apart.
    unsigned long long* heard;  // [sample][width][stride] arrivals in the order of each neuron: see arrivals.cuh; of
                                // a recurrent layer [sample][own spikes][stride]: see queue.cuh
    int* heard_counts;          // [sample][stride] how many of them come before the end
    float* by_time;             // of the shape of mu: the loss's derivative by the time of each arrival
    // Spikes of spiking layers, by neuron.
    int* spike_counts;     // [sample][stride]
    float* spike_times;    // [sample][slot][stride]
    float* spike_slopes;   // tau_mem V' just before the spike; its jump of lambda_V once that is known
    float* spike_mems;     // decay of a voltage from the start of the interval to the spike
    float* spike_drives;   // what a current at the start of the interval has added to the voltage
    int* spike_intervals;  // the record; in the walks of queues how many arrivals came before
    int* spike_ranks;      // the spike's place among the sample's, by time
    int* needed;           // the most spikes of a neuron, of the layer, in a sample where room lacked
    unsigned long long* activity;  // [neuron] spikes since they were last asked for
    // Measurements of the output layer.
    float* outputs;      // [sample][stride]
    float* derivatives;  // [sample][stride]
    float* peaks;        // [sample][stride] maximum of the voltage, counted from the bias
    float* peak_elapsed; // time from the start of its interval, or -1 for the interval's end
    float* peak_currents;
    int* peak_intervals;  // or -1 for time 0
    // Where neurons have time constants of their own, or for the gradient by constants; else null.
    Decay const* decays;  // [stride]
};

// What else the neurons of a layer need time for after a spike, and what is kept of it.
struct Recovery {
    float refractory;  // ms for which they are held at the reset
    int padding;
    // By how much a spike raises the threshold, and the time constant in ms with which that decays: they may be learned.
    float const *adaptation_beta, *adaptation_tau;
    // Of each spike, by neuron: where the reset is left [sample][slot][stride].
    float* rises;    // tau_mem V' just after
    float* mems;     // decay of a voltage from the start of the interval to there; of an output whose voltages are measured
                     // by how much the threshold was raised before the spike
    float* drives;   // what a current at the start of the interval would have added to the voltage; of such an output the
                     // jump of lambda_V there
    int* intervals;  // the record

    __device__ __forceinline__ float beta() const { return *adaptation_beta; }
    __device__ __forceinline__ float tau() const { return *adaptation_tau; }
};

// One of the layers that hear one another and are walked together. What they hear is described once, as if they were one
// layer, whose columns are the first's neurons, then the second's, and so on.
struct Member {
    Layer layer;  // its neurons and their spikes
    // The errors of its spikes, of those who hear it from above: see spike_error. `above_tiles` is -1 if nobody does.
    float const* above_errors;
    int above_width, above_tiles;
    Recovery recovery;  // where any neuron of the walk needs time to recover
};

// The spikes of one layer in order of time, one of several that are joined to what a layer hears. See Layer.
struct List {
    int const* counts;
    float const* times;
    Record const* records;
    int const* heads;
    int const* links;
    int* ranks;     // [sample][width] the place of each among all that the layer hears
    int width, sources;
    int first;      // the row of its first source among those that the layer hears
    int padding;
};

// What holds for the neurons of a layer: each has a list of values, and the gradient by them.
#define TAU_MEM 0
#define TAU_SYN 1
#define THRESHOLD 2
#define BIAS 3
#define ADAPTATION_BETA 4
#define ADAPTATION_TAU 5
#define CONSTANTS 6
struct Constant {
    float const* values;  // one a neuron, or one for all; null where there is none
    float* gradient;
    int is_common;        // whether it is one for all
    int padding;
};
struct Constants {
    Constant of[CONSTANTS];
};

// How fast one kind of parameter learns.
struct Pace {
    int learns;
    float rate, decay;
};

// The constants of one update (see lif_core::optimiser::UpdateRule).
struct Rule {
    int adam;
    float momentum_or_beta1, beta2, epsilon, root_scale;
    float clip_value;  // 0: none
    double clip_norm;  // 0: none
    Pace weights, delays;
    Pace constants[CONSTANTS];
};

// One step of a queue of steps.
struct Step {
    int first;  // its first entry in the queue's order of samples
    int samples;
    Rule rule;
};

// Parameters that follow one another.
struct Span {
    int first, end;
};

// A list of constants among all parameters.
struct Learned {
    int first, count;
    int constant;  // which of CONSTANTS
    float lowest;  // what no update goes below
};

// What went wrong; everything 0 or NONE if nothing did.
#define NONE 0xffffffffffffffffull
struct Faults {
    unsigned long long runaway;         // layer << 32 | sample, the least
    unsigned long long loss_not_finite; // sample, the least
    unsigned long long parameter_not_finite;  // position, the least
    int capacity;                       // not 0 if a layer's `needed` says more than there is room for
    int silent;                         // not 0 if a neuron is whose weights the host has to raise: see grid.cuh
};

// What a step came to.
struct Totals {
    double loss;
    unsigned long long samples, correct, grazing, clipped;
};

// The state of the queue. After it in memory lie the totals of each of its steps: see totals_of.
struct Control {
    Faults faults;
    unsigned long long grazing, clipped;  // of the step at work
    // The least parameter that the update at work left not finite: a fault from the next kernel on that moves it there, for
    // within the update itself it would depend on who comes first.
    unsigned long long not_finite;
    double norm;                          // of the gradient
    int cursor;                           // steps finished
    int at;                               // the step at work, for kernels in which some move the cursor on
};

// How a loss is computed (see lif_core::loss::Loss).
struct Loss {
    int kind;  // what is measured: see the READOUT_ constants
    float tau, alpha, tau_early;
    int skips_silent_label;  // whether a sample has no gradient if its label neuron has no first spike
};

#define READOUT_FIRST_SPIKE 0
#define READOUT_SPIKE_TIME_SUM 1
#define READOUT_MAXIMUM 2
#define READOUT_MEAN 3
#define READOUT_WEIGHTED_MEAN 4

static_assert(sizeof(Record) == 16 && sizeof(Layer) == 344 && sizeof(Step) == 136, "as in abi.rs");
static_assert(sizeof(Loss) == 20 && sizeof(Control) == 72 && sizeof(Totals) == 40 && sizeof(List) == 64, "as in abi.rs");
static_assert(sizeof(Member) == 416 && sizeof(Constants) == 144 && sizeof(Learned) == 16 && sizeof(Span) == 8, "as in abi.rs");
static_assert(sizeof(Recovery) == 56, "as in abi.rs");

__device__ __forceinline__ Totals& totals_of(Control* control, int step) {
    return reinterpret_cast<Totals*>(control + 1)[step];
}

// By one thread, in a kernel after an update.
__device__ __forceinline__ void note_not_finite(Control* control) {
    if (control->not_finite != NONE) control->faults.parameter_not_finite = control->not_finite;
}

__device__ __forceinline__ bool is_faulty(Control const* control) {
    Faults const& f = control->faults;
    // All are read at once, not each after the other.
    return (f.runaway != NONE) | (f.loss_not_finite != NONE) | (f.parameter_not_finite != NONE) |
           (f.capacity != 0) | (f.silent != 0);
}
