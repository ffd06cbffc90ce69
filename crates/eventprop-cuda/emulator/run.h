// Between the stand-in driver and the grid runner.
#pragma once
#include "simt.h"

namespace simt {
struct Grid {
    Entry const* entry;
    void** arguments;
    unsigned grid[3], block[3];
};
Entry const* find(char const* name);
void run(Grid const& grid);
}  // namespace simt
