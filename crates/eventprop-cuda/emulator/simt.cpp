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

// Saves the callee-saved registers on the stack at *from and goes on at `to`.
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
    popq %rcx
    jmpq *%rcx
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

enum class State { Ready, AtBarrier, AtExchange, Done };

struct Fiber {
    void* stack_pointer = nullptr;
    char* stack = nullptr;
    State state = State::Ready;
    dim3 index;
    int number = 0;
    char const* file = "";
    int line = 0;
    unsigned mask = 0;
    Value value = {};
    void* tsan = nullptr;
    int warp_barriers = 0;
};

struct Warp {
    // What the lanes gave to the exchange that was made last: every lane of it goes on, and reads them, before another
    // is made.
    Value given[LANES];
    // Those of the warp's barriers: as a block's.
    char tokens[2] = {0, 0};
};

struct Block {
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    void* scheduler = nullptr;
    void* tsan = nullptr;
    Fiber* current = nullptr;
    Call call = nullptr;
    void** arguments = nullptr;
    char const* kernel = "";
    uint32_t launch = 0, number = 0;
    char tokens[2] = {0, 0};
    int barriers = 0;
    char start = 0, end = 0;
};

thread_local Block* block = nullptr;
std::atomic<uint32_t> launches{0}, blocks_run{0};
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

void to_scheduler() {
    Fiber* self = block->current;
#ifdef SIMT_TSAN
    __tsan_switch_to_fiber(block->tsan, 1);
#endif
    simt_switch(&self->stack_pointer, block->scheduler);
}

// Waits for the lanes of `mask` and returns what each of them gave, until the warp's next exchange.
Value const* exchange_all(unsigned mask, Value value, char const* file, int line) {
    Fiber& self = *block->current;
    self.file = file;
    self.line = line;
    if (!(mask >> lane() & 1)) fail("a lane that is not in the mask");
    self.value = value;
    self.mask = mask;
    self.state = State::AtExchange;
    to_scheduler();
    return block->warps[self.number / LANES].given;
}

void fiber_main() {
    ACQUIRE(&block->start);
    block->call(block->arguments);
    RELEASE(&block->end);
    block->current->state = State::Done;
    to_scheduler();
    std::abort();
}

void prepare(Fiber& fiber) {
    auto top = reinterpret_cast<uintptr_t>(fiber.stack + STACK) & ~uintptr_t{15};
    auto* slots = reinterpret_cast<void**>(top);
    *--slots = nullptr;  // fiber_main starts with the stack as a call leaves it
    *--slots = reinterpret_cast<void*>(&fiber_main);
    for (int i = 0; i < 6; i++) *--slots = nullptr;
    fiber.stack_pointer = slots;
    fiber.state = State::Ready;
}

void resume(Fiber& fiber) {
    block->current = &fiber;
    threadIdx = fiber.index;
#ifdef SIMT_TSAN
    __tsan_switch_to_fiber(fiber.tsan, 1);
#endif
    simt_switch(&block->scheduler, fiber.stack_pointer);
}

// Lets the exchanges of the warp of fiber `first` happen whose lanes are all there.
bool complete_exchanges(Block& b, size_t first) {
    bool any = false;
    size_t const end = std::min(first + LANES, b.fibers.size());
    unsigned waiting = 0;
    for (size_t i = first; i < end; i++) {
        if (b.fibers[i].state == State::AtExchange) waiting |= 1u << (i - first);
    }
    for (size_t i = first; i < end; i++) {
        Fiber& leader = b.fibers[i];
        if (leader.state != State::AtExchange || (leader.mask & ~waiting)) continue;
        b.current = &leader;
        for (int l = 0; l < LANES; l++) {
            if (!(leader.mask >> l & 1)) continue;
            Fiber& other = b.fibers[first + l];
            if (other.mask != leader.mask || other.line != leader.line) fail("lanes meet in different exchanges");
        }
        for (int l = 0; l < LANES; l++) {
            if (!(leader.mask >> l & 1)) continue;
            Fiber& other = b.fibers[first + l];
            b.warps[first / LANES].given[l] = other.value;
            other.state = State::Ready;
        }
        any = true;
    }
    return any;
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
        if (first && (first->line != f.line || std::strcmp(first->file, f.file))) fail("threads wait at different barriers");
        first = &f;
    }
    for (Fiber& f : b.fibers) f.state = State::Ready;
    b.barriers++;
}

// One warp after the other, each as far as it comes before it waits for the block; so the lanes of a warp, to the next
// exchange.
void run_warps(Block& b, bool reverse) {
    size_t const threads = b.fibers.size(), warps = (threads + LANES - 1) / LANES;
    for (size_t w = 0; w < warps; w++) {
        size_t const first = (reverse ? warps - 1 - w : w) * LANES;
        size_t const lanes = std::min<size_t>(LANES, threads - first);
        do {
            for (size_t l = 0; l < lanes; l++) {
                Fiber& f = b.fibers[first + (reverse ? lanes - 1 - l : l)];
                if (f.state == State::Ready) resume(f);
            }
        } while (complete_exchanges(b, first));
    }
}

// All threads side by side from exchange to exchange, in another order each time.
void run_shuffled(Block& b) {
    std::vector<Fiber*> order;
    for (Fiber& f : b.fibers) order.push_back(&f);
    bool any;
    do {
        std::shuffle(order.begin(), order.end(), random_state);
        for (Fiber* f : order) if (f->state == State::Ready) resume(*f);
        any = false;
        for (size_t first = 0; first < b.fibers.size(); first += LANES) any |= complete_exchanges(b, first);
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
    b.launch = launches;
    b.number = ++blocks_run;
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
    for (size_t i = 0; i < threads; i++) {
        Fiber& f = b.fibers[i];
        f.number = static_cast<int>(i);
        f.index = {static_cast<unsigned>(i % blockDim.x), static_cast<unsigned>(i / blockDim.x % blockDim.y),
                   static_cast<unsigned>(i / blockDim.x / blockDim.y)};
        f.stack = stacks.memory + i * STACK;
#ifdef SIMT_TSAN
        f.tsan = sanitizer_threads[place * threads + i];
#endif
        prepare(f);
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

int lane() { return block->current->number % LANES; }

char const* kernel() { return block ? block->kernel : "a copy to the host"; }

Position position() {
    Fiber const& f = *block->current;
    return {block->kernel, block->launch, block->number, static_cast<uint32_t>(f.number),
            static_cast<uint32_t>(block->barriers), static_cast<uint32_t>(f.warp_barriers)};
}

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
    to_scheduler();
    ACQUIRE(token);
}

void warp_barrier(unsigned mask, char const* file, int line) {
    Fiber& self = *block->current;
    char* token = &block->warps[self.number / LANES].tokens[self.warp_barriers++ % 2];
    RELEASE(token);
    exchange_all(mask, {}, file, line);
    ACQUIRE(token);
}

Value exchange(unsigned mask, Value value, int from, char const* file, int line) {
    Value const* given = exchange_all(mask, value, file, line);
    if (from < 0 || from >= LANES) fail("a lane that does not exist");
    if (!(mask >> from & 1)) fail("a value from a lane outside the mask");
    return given[from];
}

unsigned ballot(unsigned mask, bool vote, char const* file, int line) {
    Value const* given = exchange_all(mask, {{vote}}, file, line);
    unsigned votes = 0;
    for (int l = 0; l < LANES; l++) {
        if (mask >> l & 1 && given[l].bytes[0]) votes |= 1u << l;
    }
    return votes;
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
