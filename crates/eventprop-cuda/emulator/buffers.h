// The device's buffers with what is known of each, found by an address in one. The host runs one kernel at a time.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

namespace simt {

template <class Known>
struct Buffer {
    uintptr_t start = 0;
    size_t size = 0;
    Known known = {};
};

template <class Known>
class Buffers {
public:
    void add(uintptr_t start, size_t size, Known known) {
        all[start] = {start, size, std::move(known)};
        forget();
    }

    // What was known of it, if there is one that starts there.
    Buffer<Known> remove(uintptr_t start) {
        Buffer<Known> removed;
        if (auto found = all.find(start); found != all.end()) {
            removed = std::move(found->second);
            all.erase(found);
            forget();
        }
        return removed;
    }

    // The buffer that an address lies in, if it is of the device's memory and not of a thread's own.
    Buffer<Known>* at(uintptr_t address) {
        Page& page = recent[address / PAGE % RECENT];
        if (page.number != address / PAGE) {
            page = {address / PAGE, nullptr};
            auto next = all.upper_bound(address);
            if (next != all.begin()) {
                Buffer<Known>& found = std::prev(next)->second;
                if (address < (found.start + found.size + PAGE - 1) / PAGE * PAGE) page.buffer = &found;
            }
        }
        Buffer<Known>* found = page.buffer;
        return found && address - found->start < found->size ? found : nullptr;
    }

private:
    static constexpr size_t PAGE = 4096, RECENT = 4096;
    // Of the pages last used: the buffer of each, or that there is none. No page has a part of two.
    struct Page {
        uintptr_t number;
        Buffer<Known>* buffer;
    };

    void forget() { std::fill_n(recent, RECENT, Page{}); }

    std::map<uintptr_t, Buffer<Known>> all;
    Page recent[RECENT] = {};
};

}  // namespace simt
