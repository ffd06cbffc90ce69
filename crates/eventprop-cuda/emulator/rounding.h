// exp, log and their like as far from the nearest float as a GPU's may be: CUDA's are within one or two units in the last
// place, and which of their results are off is nobody's business. SIMT_SEED chooses others.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace simt {
inline uint32_t rounding_seed() {
    static uint32_t const seed = [] {
        char const* text = std::getenv("SIMT_SEED");
        return text ? static_cast<uint32_t>(std::atoi(text)) : 0u;
    }();
    return seed;
}

// `exact`, or one result in `one_in` the next float above or below: always the same for an argument.
inline float rounded(double exact, float argument, uint32_t one_in) {
    float nearest = static_cast<float>(exact);
    // What is known exactly on every device.
    if (!std::isfinite(nearest) || nearest == 0.0f || nearest == 1.0f) return nearest;
    uint32_t hash;
    std::memcpy(&hash, &argument, sizeof hash);
    hash = (hash + 0x9e3779b9u * rounding_seed()) * 2654435769u;
    hash = (hash ^ hash >> 15) * 2246822519u;
    hash = (hash ^ hash >> 13) * 3266489917u;
    hash ^= hash >> 16;
    if (hash % one_in != 0) return nearest;
    return std::nextafterf(nearest, hash >> 16 & 1 ? INFINITY : -INFINITY);
}
inline float expf(float x) { return rounded(std::exp(static_cast<double>(x)), x, 5); }
inline float logf(float x) { return rounded(std::log(static_cast<double>(x)), x, 5); }
inline float log1pf(float x) { return rounded(std::log1p(static_cast<double>(x)), x, 5); }
inline float expm1f(float x) { return rounded(std::expm1(static_cast<double>(x)), x, 5); }
inline float fdividef(float a, float b) { return rounded(static_cast<double>(a) / b, a + b, 2); }
}

#define expf simt::expf
#define logf simt::logf
#define log1pf simt::log1pf
#define expm1f simt::expm1f
#define __fdividef simt::fdividef
