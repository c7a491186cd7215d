// Memory for tapes and scratch: aligned, used again, and poisoned on request so that tests see
// stale reads.
#pragma once

#include <pthread.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace sluice::SLUICE_ISA {

// What large blocks leave behind: the next call finds its pages mapped. At most `limit` bytes in `most`
// pieces are kept, the longest unused given back first; small blocks the system's heap keeps as well.
class Spare {
public:
#if defined(__SANITIZE_ADDRESS__)
    static constexpr size_t limit = 0;  // so that what is used after its end is seen
#else
    static constexpr size_t limit = size_t(256) << 20;
#endif
    static constexpr size_t huge = size_t(2) << 20, small = size_t(1) << 16, most = 64;

    // At least `bytes`, and how many they are; no more than a quarter is left over.
    void* take(size_t& bytes) {
        if (bytes < small) return std::aligned_alloc(64, bytes);
        {
            std::lock_guard lock(guard_);
            size_t best = kept_.size();
            for (size_t k = 0; k < kept_.size(); ++k)
                if (kept_[k].bytes >= bytes && kept_[k].bytes - bytes <= bytes / 4 &&
                    (best == kept_.size() || kept_[k].bytes < kept_[best].bytes))
                    best = k;
            if (best < kept_.size()) {
                const Piece found = kept_[best];
                kept_.erase(kept_.begin() + long(best));
                total_ -= found.bytes;
                bytes = found.bytes;
                return found.data;
            }
        }
        void* fresh = std::aligned_alloc(bytes >= huge ? huge : 64, bytes);
        if (fresh && bytes >= huge) madvise(fresh, bytes, MADV_HUGEPAGE);
        return fresh;
    }
    void give(void* data, size_t bytes) {
        if (bytes < small || bytes > limit) return std::free(data);
        std::lock_guard lock(guard_);
        kept_.push_back({data, bytes});
        total_ += bytes;
        while (total_ > limit || kept_.size() > most) {
            total_ -= kept_.front().bytes;
            std::free(kept_.front().data);
            kept_.erase(kept_.begin());
        }
    }
    // Never destroyed: a tape may outlive what ends a process in order. A forked child starts with
    // none, as another thread may have held the lock.
    static Spare& get() {
        static std::once_flag once;
        std::call_once(once, [] {
            current() = new Spare;
            pthread_atfork(nullptr, nullptr, [] { current() = new Spare; });
        });
        return *current();
    }

private:
    struct Piece {
        void* data;
        size_t bytes;
    };
    std::mutex guard_;
    std::vector<Piece> kept_;
    size_t total_ = 0;

    static Spare*& current() {
        static Spare* spare = nullptr;
        return spare;
    }
};

class Block {
public:
    Block() = default;
    explicit Block(size_t bytes) {
        const size_t unit = bytes >= Spare::huge ? Spare::huge : 64;
        bytes_ = (bytes + unit - 1) / unit * unit;
        if (bytes_ < bytes) throw std::bad_alloc();
        if (bytes_ == 0) bytes_ = 64;
        data_ = Spare::get().take(bytes_);
        if (!data_) throw std::bad_alloc();
        if (const char* poison = std::getenv("SLUICE_POISON"); poison && *poison == '1')
            std::memset(data_, 0xff, bytes_);
    }
    Block(Block&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Block& operator=(Block&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~Block() {
        if (data_) Spare::get().give(data_, bytes_);
    }
    void* data() const { return data_; }

private:
    void* data_ = nullptr;
    size_t bytes_ = 0;
};

}  // namespace sluice::SLUICE_ISA
