// The OpenMP runtime of this process, if one is loaded: torch runs its operators on its threads,
// which spin for milliseconds after each. Jobs run on the same threads, so that the two never
// compete for processors. Nothing is loaded, and nothing links against a runtime.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <type_traits>

#include "system.h"

namespace sluice::SLUICE_ISA {

class OpenMP {
public:
    using Job = void (*)(void* context, int id);

    // The runtime, or null where none can run a job for the caller: none is loaded, it is switched
    // off, or its threads did not survive a fork.
    static const OpenMP* get() {
#if defined(__SANITIZE_THREAD__)
        return nullptr;  // ThreadSanitizer does not see how a runtime synchronises its threads
#endif
        if (!is_enabled_ || is_forked_) return nullptr;
        // Found once, at the first job: torch, whose tensors a job reads, has loaded its runtime.
        static const OpenMP runtime;
        return runtime.fork_ || runtime.parallel_ ? &runtime : nullptr;
    }

    // Whether jobs may run on a runtime's threads at all.
    static void enable(bool enabled) { is_enabled_ = enabled; }

    // A forked child has none of its parent's threads, and GNU's runtime would wait for them.
    static void watch_forks() {
        call_after_fork([] { is_forked_ = true; });
    }

    std::string library() const {
        return LoadedLibrary(reinterpret_cast<void*>(get_max_threads_)).file();
    }

    // Run job(0) … job(threads − 1), the caller being number 0; false where nothing ran, as the
    // caller is inside a parallel region or the runtime grants too few threads. The region always
    // asks for as many threads as torch's do: a runtime ends the threads that a smaller one leaves.
    bool run(int threads, Job job, void* context) const {
        if (get_level_() != 0 || get_max_threads_() < threads) return false;
        Region region{this, job, context, threads};
        if (fork_) fork_(&location, 1, reinterpret_cast<Microtask>(&enter_fork), &region);
        else parallel_(&enter, &region, 0, 0);
        return region.was_granted;
    }

private:
    struct Location {  // what LLVM's runtime calls ident_t
        int32_t reserved_1, flags, reserved_2, reserved_3;
        const char* source;
    };
    struct Region {
        const OpenMP* runtime;
        Job job;
        void* context;
        int threads;
        bool was_granted = false;
    };
    using Count = int (*)();
    using Parallel = void (*)(void (*)(void*), void*, unsigned threads, unsigned flags);
    using Microtask = void (*)(int32_t*, int32_t*, ...);
    using Fork = void (*)(Location*, int32_t count, Microtask, ...);

    Count get_thread_number_ = nullptr, get_num_threads_ = nullptr, get_max_threads_ = nullptr,
          get_level_ = nullptr;
    Parallel parallel_ = nullptr;  // of GNU's runtime
    Fork fork_ = nullptr;          // of LLVM's and Intel's
    static inline Location location{0, 2, 0, 0, ";sluice;run;0;0;;"};
    static inline std::atomic<bool> is_enabled_{true}, is_forked_{false};

    OpenMP() {
        void* entry = LoadedLibrary::find_anywhere("GOMP_parallel");
        if (!entry) entry = LoadedLibrary::find_anywhere("__kmpc_fork_call");
        if (!entry) return;
        const LoadedLibrary library(entry);
        const auto find = [&](auto& function, const char* name) {
            function = reinterpret_cast<std::decay_t<decltype(function)>>(library.find(name));
            return function != nullptr;
        };
        const bool counts = find(get_thread_number_, "omp_get_thread_num") &&
                            find(get_num_threads_, "omp_get_num_threads") &&
                            find(get_max_threads_, "omp_get_max_threads") &&
                            find(get_level_, "omp_get_level");
        // LLVM's offers both; its own entry is the one on all systems.
        if (counts && !find(fork_, "__kmpc_fork_call")) find(parallel_, "GOMP_parallel");
    }

    static void enter(void* data) {
        auto& region = *static_cast<Region*>(data);
        if (region.runtime->get_num_threads_() < region.threads) return;
        const int id = region.runtime->get_thread_number_();
        if (id == 0) region.was_granted = true;
        if (id < region.threads) region.job(region.context, id);
    }
    static void enter_fork(int32_t*, int32_t*, void* data) { enter(data); }
};

}  // namespace sluice::SLUICE_ISA
