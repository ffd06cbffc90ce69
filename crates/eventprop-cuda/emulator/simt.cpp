// Runs a grid: each block's threads are fibers, switched at barriers and warp exchanges, in an order
// that a policy decides. Reports what a GPU would leave undefined: barriers that not all threads reach,
// exchanges with lanes that are not in the mask.
#include "simt.h"
#include "run.h"
#include "watch.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

#ifdef SIMT_TSAN
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* token);
void __tsan_release(void* token);
}
#define ACQUIRE(token) __tsan_acquire(token)
#define RELEASE(token) __tsan_release(token)
#else
#define ACQUIRE(token) (void)(token)
#define RELEASE(token) (void)(token)
#endif

thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;
thread_local int simt::lane_number;
#ifdef SIMT_WATCH
thread_local simt::Position simt::position;
#endif

// Saves the callee-saved registers on the stack at *from and goes on at `to`. By a return: threads wait at the same depth
// of calls, so the processor foresees where this and later returns lead.
extern "C" void simt_switch(void** from, void* to);
asm(R"(
.text
.globl simt_switch
.hidden simt_switch
.type simt_switch, @function
simt_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size simt_switch, .-simt_switch
)");

#ifndef SIMT_TSAN
extern char __start_simt_shared[] __attribute__((visibility("hidden")));
extern char __stop_simt_shared[] __attribute__((visibility("hidden")));
#endif

namespace simt {
namespace {

// A little more than a power of two: else the tops of all stacks would share a few lines of the caches.
constexpr size_t STACK = 64 * 1024 + 320;
constexpr int LANES = 32;
#ifdef SIMT_TSAN
// What one thread wrote to its stack would seem to race with what another writes there later.
constexpr bool SHARES_STACKS = false;
#else
constexpr bool SHARES_STACKS = true;
#endif

enum class State { Ready, AtBarrier, AtExchange, Done };

struct Fiber {
    // Null before the thread starts.
    void* stack_pointer = nullptr;
    char* stack = nullptr;
    char const* file = "";
    void* tsan = nullptr;
    dim3 index;
    int number = 0;
    State state = State::Ready;
    int line = 0;
    int warp_barriers = 0;
};

struct Warp {
    // What the lanes gave to the exchange that was made last: every lane of it goes on, and reads them, before another
    // is made. Votes are a bit a lane.
    Value given[LANES];
    unsigned votes_given = 0;
    // The same of the lanes that wait for their exchange.
    Value values[LANES];
    unsigned votes = 0;
    unsigned waiting = 0;
    unsigned masks[LANES];
    // Those of the warp's barriers: as a block's.
    char tokens[2] = {0, 0};
};

struct Block {
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    void* scheduler = nullptr;
    void* tsan = nullptr;
    Fiber* current = nullptr;
    // Those whose turn comes next, one after the other.
    Fiber** next = nullptr;
    Fiber** last = nullptr;
    std::vector<char*> free_stacks;
    Call call = nullptr;
    void** arguments = nullptr;
    char const* kernel = "";
    char tokens[2] = {0, 0};
    int barriers = 0;
    char start = 0, end = 0;
};

thread_local Block* block = nullptr;
std::atomic<uint32_t> launches{0};
#ifdef SIMT_WATCH
uint32_t phases = 0;
#endif
std::mt19937 random_state(1);

[[noreturn]] void fail(char const* what) {
    Fiber const& f = *block->current;
    std::fprintf(stderr, "simt: %s in %s, block (%u %u %u), thread (%u %u %u), %s:%d\n", what, block->kernel,
                 blockIdx.x, blockIdx.y, blockIdx.z, f.index.x, f.index.y, f.index.z, f.file, f.line);
    std::fflush(stderr);
    std::_Exit(70);
}

void on_fault(int signal, siginfo_t* information, void*) {
    char text[256];
    int length = std::snprintf(text, sizeof text, "simt: signal %d at address %p in %s, block (%u %u %u), thread (%u %u %u)\n",
                               signal, information->si_addr, block ? block->kernel : "the host", blockIdx.x, blockIdx.y,
                               blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z);
    if (write(2, text, static_cast<size_t>(length)) < 0) {}
    _exit(71);
}

void fiber_main();

// Gives a thread that starts a stack.
void prepare(Block& b, Fiber& fiber) {
    if (SHARES_STACKS) {
        fiber.stack = b.free_stacks.back();
        b.free_stacks.pop_back();
    }
    auto top = reinterpret_cast<uintptr_t>(fiber.stack + STACK) & ~uintptr_t{15};
    auto* slots = reinterpret_cast<void**>(top);
    *--slots = nullptr;  // fiber_main starts with the stack as a call leaves it
    *--slots = reinterpret_cast<void*>(&fiber_main);
    for (int i = 0; i < 6; i++) *--slots = nullptr;
    fiber.stack_pointer = slots;
}

// The next in the order that can go on, if there is one.
Fiber* next_ready(Block& b) {
    while (b.next != b.last) {
        Fiber* fiber = *b.next++;
        if (fiber->state == State::Ready) return fiber;
    }
    return nullptr;
}

void becomes_current(Block& b, Fiber& fiber) {
    b.current = &fiber;
    threadIdx = fiber.index;
    lane_number = fiber.number % LANES;
#ifdef SIMT_WATCH
    position.thread = static_cast<uint32_t>(fiber.number);
    position.warp_barriers = static_cast<uint32_t>(fiber.warp_barriers);
#endif
}

void go_on(Block& b, void** from, Fiber& fiber) {
    becomes_current(b, fiber);
    if (!fiber.stack_pointer) prepare(b, fiber);
#ifdef SIMT_TSAN
    __tsan_switch_to_fiber(fiber.tsan, 1);
#endif
    simt_switch(from, fiber.stack_pointer);
}

// Lets all go on that can, each until it waits, and returns then.
void run_in_order(Block& b, Fiber** first, Fiber** last) {
    b.next = first;
    b.last = last;
    if (Fiber* fiber = next_ready(b)) go_on(b, &b.scheduler, *fiber);
}

// Whoever waits lets `next` go on, or the scheduler where there is none.
void hand_over(Block& b, Fiber& self, Fiber* next) {
    if (next) return go_on(b, &self.stack_pointer, *next);
#ifdef SIMT_TSAN
    __tsan_switch_to_fiber(b.tsan, 1);
#endif
    simt_switch(&self.stack_pointer, b.scheduler);
}

void wait() {
    Block& b = *block;
    hand_over(b, *b.current, next_ready(b));
}

// Waits for the lanes of `mask` and returns the warp, which has what each of them gave until the next exchange.
Warp const& exchange_all(unsigned mask, Value value, bool vote, char const* file, int line) {
    Fiber& self = *block->current;
    Warp& warp = block->warps[self.number / LANES];
    int const own = self.number % LANES;
    self.file = file;
    self.line = line;
    if (!(mask >> own & 1)) fail("a lane that is not in the mask");
    warp.values[own] = value;
    warp.masks[own] = mask;
    warp.votes = (warp.votes & ~(1u << own)) | unsigned{vote} << own;
    warp.waiting |= 1u << own;
    self.state = State::AtExchange;
    wait();
    return warp;
}

void fiber_main() {
    for (;;) {
        Block& b = *block;
        ACQUIRE(&b.start);
        b.call(b.arguments);
        RELEASE(&b.end);
        Fiber& self = *b.current;
        self.state = State::Done;
        Fiber* next = next_ready(b);
        if (SHARES_STACKS && next && !next->stack_pointer) {
            // Most threads never wait: those take one stack in turn.
            next->stack = self.stack;
            next->stack_pointer = self.stack;
            becomes_current(b, *next);
            continue;
        }
        if (SHARES_STACKS) b.free_stacks.push_back(self.stack);
        hand_over(b, self, next);
        std::abort();
    }
}

// Lets the exchanges of a warp happen whose lanes are all there.
bool complete_exchanges(Block& b, size_t number) {
    Warp& warp = b.warps[number];
    Fiber* const fibers = &b.fibers[number * LANES];
    unsigned const waiting = warp.waiting;
    for (int leader = 0; leader < LANES; leader++) {
        unsigned const mask = warp.masks[leader];
        if (!(warp.waiting >> leader & 1) || (mask & ~waiting)) continue;
        b.current = &fibers[leader];
        for (int l = 0; l < LANES; l++) {
            if (!(mask >> l & 1)) continue;
            if (warp.masks[l] != mask || fibers[l].line != fibers[leader].line) fail("lanes meet in different exchanges");
            warp.given[l] = warp.values[l];
            fibers[l].state = State::Ready;
        }
        warp.votes_given = (warp.votes_given & ~mask) | (warp.votes & mask);
        warp.waiting &= ~mask;
    }
    return warp.waiting != waiting;
}

void complete_barrier(Block& b) {
    Fiber* first = nullptr;
    for (Fiber& f : b.fibers) {
        b.current = &f;
        if (f.state == State::Done) {
            for (Fiber& g : b.fibers) {
                if (g.state == State::AtBarrier) b.current = &g;
            }
            fail("a barrier that some threads never reach");
        }
        if (f.state == State::AtExchange) fail("an exchange whose other lanes never come");
        bool const same_file = !first || first->file == f.file || std::strcmp(first->file, f.file) == 0;
        if (first && (first->line != f.line || !same_file)) fail("threads wait at different barriers");
        first = &f;
    }
    for (Fiber& f : b.fibers) f.state = State::Ready;
    b.barriers++;
#ifdef SIMT_WATCH
    position.phase = ++phases;
#endif
}

// One warp after the other, each as far as it comes before it waits for the block; so the lanes of a warp, to the next
// exchange.
void run_warps(Block& b, bool reverse) {
    size_t const threads = b.fibers.size(), warps = b.warps.size();
    for (size_t w = 0; w < warps; w++) {
        size_t const warp = reverse ? warps - 1 - w : w;
        size_t const first = warp * LANES, lanes = std::min<size_t>(LANES, threads - first);
        Fiber* order[LANES];
        for (size_t l = 0; l < lanes; l++) order[l] = &b.fibers[first + (reverse ? lanes - 1 - l : l)];
        do {
            run_in_order(b, order, order + lanes);
        } while (complete_exchanges(b, warp));
    }
}

// All threads side by side from exchange to exchange, in another order each time.
void run_shuffled(Block& b) {
    std::vector<Fiber*> order;
    for (Fiber& f : b.fibers) order.push_back(&f);
    bool any;
    do {
        std::shuffle(order.begin(), order.end(), random_state);
        run_in_order(b, order.data(), order.data() + order.size());
        any = false;
        for (size_t warp = 0; warp < b.warps.size(); warp++) any |= complete_exchanges(b, warp);
    } while (any);
}

void run_block(Block& b, int policy) {
    for (;;) {
        if (policy == 2) run_shuffled(b);
        else run_warps(b, policy == 1);
        bool waiting = false;
        for (Fiber& f : b.fibers) waiting |= f.state != State::Done;
        if (!waiting) return;
        complete_barrier(b);
    }
}

// The stacks of a block's fibers, kept from block to block.
struct Stacks {
    char* memory = nullptr;
    size_t count = 0;
    void reserve(size_t wanted) {
        if (wanted <= count) return;
        if (memory) munmap(memory, count * STACK);
        memory = static_cast<char*>(mmap(nullptr, wanted * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        count = wanted;
    }
    ~Stacks() {
        if (memory) munmap(memory, count * STACK);
    }
};
thread_local Stacks stacks;

#ifdef SIMT_TSAN
// The sanitizer's threads, for the blocks that run at one time: to make them anew for each would take most of the time.
// Whatever else one of them did is over by then, and known to be.
std::vector<void*> sanitizer_threads;
#endif

// `place` is the block's among those that run at one time.
void run_at(Grid const& grid, size_t number, [[maybe_unused]] size_t place, int policy) {
    Block b;
    b.call = grid.entry->call;
    b.arguments = grid.arguments;
    b.kernel = grid.entry->name;
#ifdef SIMT_WATCH
    position.launch = launches;
    position.first_phase = position.phase = ++phases;
#endif
    blockDim = {grid.block[0], grid.block[1], grid.block[2]};
    gridDim = {grid.grid[0], grid.grid[1], grid.grid[2]};
    blockIdx = {static_cast<unsigned>(number % gridDim.x), static_cast<unsigned>(number / gridDim.x % gridDim.y),
                static_cast<unsigned>(number / gridDim.x / gridDim.y)};
    size_t threads = size_t{blockDim.x} * blockDim.y * blockDim.z;
    stacks.reserve(threads);
    b.fibers.resize(threads);
    b.warps.resize((threads + LANES - 1) / LANES);
    block = &b;
#ifdef SIMT_TSAN
    b.tsan = __tsan_get_current_fiber();
#else
    std::memset(__start_simt_shared, 0xff, static_cast<size_t>(__stop_simt_shared - __start_simt_shared));
#endif
    for (size_t i = threads; i-- > 0;) {
        Fiber& f = b.fibers[i];
        f.number = static_cast<int>(i);
        unsigned const n = static_cast<unsigned>(i);
        f.index = {n % grid.block[0], n / grid.block[0] % grid.block[1], n / grid.block[0] / grid.block[1]};
        char* stack = stacks.memory + i * STACK;
        if (SHARES_STACKS) b.free_stacks.push_back(stack);
        else f.stack = stack;
#ifdef SIMT_TSAN
        f.tsan = sanitizer_threads[place * threads + i];
#endif
    }
    RELEASE(&b.start);
    run_block(b, policy);
    ACQUIRE(&b.end);
    block = nullptr;
}

std::vector<Entry>& entries() {
    static std::vector<Entry> all;
    return all;
}

int chosen_policy = -1;

int policy() {
    if (chosen_policy >= 0) return chosen_policy;
    char const* text = std::getenv("SIMT_POLICY");
    return text ? std::atoi(text) : 0;
}

void catch_faults() {
    static bool done = false;
    if (done) return;
    done = true;
    static char stack[64 * 1024];
    stack_t alternate = {};
    alternate.ss_sp = stack;
    alternate.ss_size = sizeof stack;
    sigaltstack(&alternate, nullptr);
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, nullptr);
    sigaction(SIGBUS, &action, nullptr);
    sigaction(SIGFPE, &action, nullptr);
}

}  // namespace

char const* kernel() { return block ? block->kernel : "a copy to the host"; }

#ifndef SIMT_TSAN
void shared_memory(uintptr_t& start, size_t& size) {
    start = reinterpret_cast<uintptr_t>(__start_simt_shared);
    size = static_cast<size_t>(__stop_simt_shared - __start_simt_shared);
}
#endif

void barrier(char const* file, int line) {
    Fiber& self = *block->current;
    self.state = State::AtBarrier;
    self.file = file;
    self.line = line;
    // Two tokens in turn: with one, what a thread does after this barrier would seem ordered before
    // what others do after the next.
    char* token = &block->tokens[block->barriers % 2];
    RELEASE(token);
    wait();
    ACQUIRE(token);
}

void warp_barrier(unsigned mask, char const* file, int line) {
    Fiber& self = *block->current;
    char* token = &block->warps[self.number / LANES].tokens[self.warp_barriers++ % 2];
    RELEASE(token);
    exchange_all(mask, {}, false, file, line);
    ACQUIRE(token);
}

Value exchange(unsigned mask, Value value, int from, char const* file, int line) {
    Warp const& warp = exchange_all(mask, value, false, file, line);
    if (from < 0 || from >= LANES) fail("a lane that does not exist");
    if (!(mask >> from & 1)) fail("a value from a lane outside the mask");
    return warp.given[from];
}

unsigned ballot(unsigned mask, bool vote, char const* file, int line) {
    return exchange_all(mask, {}, vote, file, line).votes_given & mask;
}

void add(Entry entry) { entries().push_back(entry); }

Entry const* find(char const* name) {
    for (Entry const& e : entries()) if (std::strcmp(e.name, name) == 0) return &e;
    return nullptr;
}

void run(Grid const& grid) {
    catch_faults();
    launches++;
    int policy = simt::policy();
    size_t blocks = size_t{grid.grid[0]} * grid.grid[1] * grid.grid[2];
    std::vector<size_t> order(blocks);
    for (size_t i = 0; i < blocks; i++) order[i] = policy == 1 ? blocks - 1 - i : i;
    if (policy == 2) std::shuffle(order.begin(), order.end(), random_state);
#ifdef SIMT_TSAN
    // Threads that live at one time: a race between blocks shows as one between threads.
    // The sanitizer knows some 8000 threads, fibers among them.
    size_t const block_threads = size_t{grid.block[0]} * grid.block[1] * grid.block[2];
    size_t const at_once = std::min(blocks, std::max<size_t>(2, 2048 / block_threads));
    while (sanitizer_threads.size() < at_once * block_threads) sanitizer_threads.push_back(__tsan_create_fiber(0));
    for (size_t first = 0; first < blocks; first += at_once) {
        std::vector<std::thread> threads;
        for (size_t i = first; i < first + at_once && i < blocks; i++) {
            threads.emplace_back([&, i] { run_at(grid, order[i], i - first, policy); });
        }
        for (std::thread& thread : threads) thread.join();
    }
#else
    for (size_t number : order) run_at(grid, number, 0, policy);
#endif
}

extern "C" void simt_set_policy(int policy) { chosen_policy = policy; }

}  // namespace simt
