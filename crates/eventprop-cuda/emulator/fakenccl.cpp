// A stand-in for libnccl.so: point-to-point messages between threads of one process, each a rank with a stream of
// the emulator. As with NCCL, calls within a group are only noted, nothing moves before the group ends, a
// receive meets the send of its peer in order, and sizes that differ are an error (where NCCL would hang).
// Unlike NCCL the end of a group waits for the stream and for the peers.
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

extern "C" int cuStreamSynchronize(void* stream);

namespace {

enum Result { SUCCESS = 0, INVALID_ARGUMENT = 4, INVALID_USAGE = 5 };
struct Id {
    char bytes[128];
};

struct Job {
    std::mutex lock;
    std::condition_variable changed;
    int ranks = 0, joined = 0;
    // From and to: what was sent and not yet received.
    std::map<std::pair<int, int>, std::deque<std::vector<char>>> messages;
};

struct Comm {
    std::shared_ptr<Job> job;
    int rank;
};

struct Call {
    bool sends;
    void* address;
    size_t bytes;
    int peer;
    Comm* comm;
    void* stream;
};

std::mutex jobs_lock;
std::map<int, std::shared_ptr<Job>> jobs;
int last_job = 0;
thread_local int depth = 0;
thread_local std::vector<Call> noted;

size_t size_of(int type) {
    // ncclInt8, Uint8, Int32, Uint32, Int64, Uint64, Float16, Float32, Float64.
    static size_t const sizes[] = {1, 1, 4, 4, 8, 8, 2, 4, 8};
    return type >= 0 && type < 9 ? sizes[type] : 0;
}

Result run(std::vector<Call> calls) {
    for (Call& call : calls) {
        if (cuStreamSynchronize(call.stream)) return INVALID_USAGE;
    }
    for (Call& call : calls) {
        if (!call.sends) continue;
        Job& job = *call.comm->job;
        std::lock_guard<std::mutex> guard(job.lock);
        char* start = static_cast<char*>(call.address);
        job.messages[{call.comm->rank, call.peer}].emplace_back(start, start + call.bytes);
        job.changed.notify_all();
    }
    for (Call& call : calls) {
        if (call.sends) continue;
        Job& job = *call.comm->job;
        std::unique_lock<std::mutex> guard(job.lock);
        auto& waiting = job.messages[{call.peer, call.comm->rank}];
        job.changed.wait(guard, [&] { return !waiting.empty(); });
        if (waiting.front().size() != call.bytes) return INVALID_ARGUMENT;
        std::memcpy(call.address, waiting.front().data(), call.bytes);
        waiting.pop_front();
    }
    return SUCCESS;
}

Result note(Call call) {
    int ranks = call.comm->job->ranks;
    if (call.peer < 0 || call.peer >= ranks || call.peer == call.comm->rank) return INVALID_ARGUMENT;
    if (depth == 0) return run({call});
    noted.push_back(call);
    return SUCCESS;
}

}  // namespace

extern "C" {

Result ncclGetUniqueId(Id* id) {
    std::lock_guard<std::mutex> guard(jobs_lock);
    std::memset(id, 0, sizeof *id);
    int number = ++last_job;
    std::memcpy(id->bytes, &number, sizeof number);
    jobs[number] = std::make_shared<Job>();
    return SUCCESS;
}

Result ncclCommInitRank(Comm** comm, int ranks, Id id, int rank) {
    int number;
    std::memcpy(&number, id.bytes, sizeof number);
    std::shared_ptr<Job> job;
    {
        std::lock_guard<std::mutex> guard(jobs_lock);
        auto found = jobs.find(number);
        if (found == jobs.end() || rank < 0 || rank >= ranks) return INVALID_ARGUMENT;
        job = found->second;
    }
    std::unique_lock<std::mutex> guard(job->lock);
    job->ranks = ranks;
    ++job->joined;
    job->changed.notify_all();
    job->changed.wait(guard, [&] { return job->joined >= ranks; });
    *comm = new Comm{job, rank};
    return SUCCESS;
}

Result ncclCommAbort(Comm* comm) {
    delete comm;
    return SUCCESS;
}

Result ncclGroupStart() {
    ++depth;
    return SUCCESS;
}

Result ncclGroupEnd() {
    if (depth == 0) return INVALID_USAGE;
    if (--depth > 0) return SUCCESS;
    std::vector<Call> calls;
    calls.swap(noted);
    return run(calls);
}

Result ncclSend(void const* address, size_t count, int type, int peer, Comm* comm, void* stream) {
    return note({true, const_cast<void*>(address), count * size_of(type), peer, comm, stream});
}

Result ncclRecv(void* address, size_t count, int type, int peer, Comm* comm, void* stream) {
    return note({false, address, count * size_of(type), peer, comm, stream});
}

}
