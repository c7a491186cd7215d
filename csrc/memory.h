// Memory for tapes and scratch: aligned, reused, and filled with NaN on request (SLUICE_POISON=1)
// so that tests see reads of what was never written.
#pragma once

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "system.h"

namespace sluice::SLUICE_ISA {

// Sizes beyond any memory raise std::bad_alloc instead of wrapping around.
constexpr i64 max_allocation = i64(1) << 56;

inline i64 add_checked(i64 a, i64 b) {
    i64 sum;
    if (__builtin_add_overflow(a, b, &sum) || sum > max_allocation) throw std::bad_alloc();
    return sum;
}
template <class... Factors> i64 multiply_checked(i64 product, Factors... factors) {
    ((__builtin_mul_overflow(product, i64(factors), &product) || product > max_allocation
          ? throw std::bad_alloc()
          : void()),
     ...);
    return product;
}

// Keeps released large blocks, so that the next call finds its pages mapped: at most `max_bytes`
// bytes in `max_pieces` pieces, the oldest freed first. The system's heap does the same for small
// blocks.
class BlockCache {
public:
#if defined(__SANITIZE_ADDRESS__)
    static constexpr size_t max_bytes = 0;  // so that a use after the release is seen
#else
    static constexpr size_t max_bytes = size_t(256) << 20;
#endif
    static constexpr size_t huge_page = size_t(2) << 20, min_cached = size_t(1) << 16,
                            max_pieces = 64;

    static constexpr size_t alignment(size_t bytes) { return bytes >= huge_page ? huge_page : 64; }

    // At least `bytes`, which becomes the size that was taken; at most a quarter is left over.
    void* acquire(size_t& bytes) {
        if (bytes < min_cached) return allocate_aligned(bytes, alignment(bytes));
        {
            std::lock_guard lock(mutex_);
            size_t match = pieces_.size();
            for (size_t k = 0; k < pieces_.size(); ++k)
                if (pieces_[k].bytes >= bytes && pieces_[k].bytes - bytes <= bytes / 4 &&
                    (match == pieces_.size() || pieces_[k].bytes < pieces_[match].bytes))
                    match = k;
            if (match < pieces_.size()) {
                const Piece piece = pieces_[match];
                pieces_.erase(pieces_.begin() + ptrdiff_t(match));
                total_ -= piece.bytes;
                bytes = piece.bytes;
                return piece.data;
            }
        }
        void* memory = allocate_aligned(bytes, alignment(bytes));
        if (memory && bytes >= huge_page) prefer_huge_pages(memory, bytes);
        return memory;
    }
    void release(void* data, size_t bytes) {
        if (bytes < min_cached || bytes > max_bytes) return free_aligned(data, alignment(bytes));
        std::lock_guard lock(mutex_);
        pieces_.push_back({data, bytes});
        total_ += bytes;
        while (total_ > max_bytes || pieces_.size() > max_pieces) {
            total_ -= pieces_.front().bytes;
            free_aligned(pieces_.front().data, alignment(pieces_.front().bytes));
            pieces_.erase(pieces_.begin());
        }
    }

private:
    struct Piece {
        void* data;
        size_t bytes;
    };
    std::mutex mutex_;
    std::vector<Piece> pieces_;
    size_t total_ = 0;
};

class AlignedBlock {
public:
    AlignedBlock() = default;
    explicit AlignedBlock(size_t bytes) {
        const size_t unit = BlockCache::alignment(bytes);
        bytes_ = (bytes + unit - 1) / unit * unit;
        if (bytes_ < bytes) throw std::bad_alloc();
        if (bytes_ == 0) bytes_ = 64;
        data_ = PerProcess<BlockCache>::get().acquire(bytes_);
        if (!data_) throw std::bad_alloc();
        if (const char* poison = std::getenv("SLUICE_POISON"); poison && *poison == '1')
            std::memset(data_, 0xff, bytes_);
    }
    AlignedBlock(AlignedBlock&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    AlignedBlock& operator=(AlignedBlock&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~AlignedBlock() {
        if (data_) PerProcess<BlockCache>::get().release(data_, bytes_);
    }
    void* data() const { return data_; }

private:
    void* data_ = nullptr;
    size_t bytes_ = 0;
};

// Memory of one call, allocated piece by piece and released at its end.
template <class Real> class Arena {
public:
    // Room for a product of sizes, and for reading a little beyond it in whole vectors.
    template <class T, class... Sizes> T* allocate(i64 count, Sizes... sizes) {
        blocks_.emplace_back(
            size_t(add_checked(multiply_checked(count, sizes..., sizeof(T)), 128)));
        return reinterpret_cast<T*>(blocks_.back().data());
    }
    template <class... Sizes> Real* allocate_reals(Sizes... sizes) {
        return allocate<Real>(sizes...);
    }

private:
    std::vector<AlignedBlock> blocks_;
};

}  // namespace sluice::SLUICE_ISA
