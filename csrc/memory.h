// Memory for tapes and scratch: aligned, and poisoned on request so that tests see stale reads.
#pragma once

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace sluice::SLUICE_ISA {

class Block {
public:
    Block() = default;
    explicit Block(size_t bytes) {
        const size_t rounded = (bytes + 63) / 64 * 64;
        if (rounded < bytes) throw std::bad_alloc();
        data_ = std::aligned_alloc(64, rounded ? rounded : 64);
        if (!data_) throw std::bad_alloc();
        if (const char* poison = std::getenv("SLUICE_POISON"); poison && *poison == '1')
            std::memset(data_, 0xff, rounded);
    }
    Block(Block&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
    Block& operator=(Block&& other) noexcept {
        std::swap(data_, other.data_);
        return *this;
    }
    ~Block() { std::free(data_); }
    void* data() const { return data_; }

private:
    void* data_ = nullptr;
};

}  // namespace sluice::SLUICE_ISA
