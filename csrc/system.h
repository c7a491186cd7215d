// Everything that Linux, macOS, Windows and others do differently; another system does without.
#pragma once

#include <cstddef>
#include <new>

#if defined(_WIN32)
#ifndef NOMINMAX
#define NOMINMAX
#endif
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
#elif defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

#include "vector.h"

namespace sluice::SLUICE_ISA {

// Tell the processor that this thread spins.
static inline void pause_cpu() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

// The processor that this thread runs on; −1 where threads cannot be kept off one.
static inline int get_current_cpu() {
#if defined(__linux__)
    return sched_getcpu();
#elif defined(_WIN32)
    return int(GetCurrentProcessorNumber());
#else
    return -1;
#endif
}

// Keep this thread off a processor, on the others that the process may use; false where there are
// none, or where the system refuses.
static inline bool leave_cpu([[maybe_unused]] int cpu) {
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity(getpid(), sizeof allowed, &allowed) != 0) return false;
    if (CPU_COUNT(&allowed) < 2) return false;
    CPU_CLR(cpu, &allowed);
    return sched_setaffinity(0, sizeof allowed, &allowed) == 0;
#elif defined(_WIN32)
    DWORD_PTR allowed = 0, present = 0;  // both 0 for a process on more than 64 processors
    if (!GetProcessAffinityMask(GetCurrentProcess(), &allowed, &present)) return false;
    allowed &= ~(DWORD_PTR(1) << cpu);
    return allowed != 0 && SetThreadAffinityMask(GetCurrentThread(), allowed) != 0;
#else
    return false;
#endif
}

// Call `renew` in every forked child, where there are forks.
static inline void call_after_fork([[maybe_unused]] void (*renew)()) {
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(nullptr, nullptr, renew);
#endif
}

// Memory from the system, null where there is none; it takes the same alignment to free it.
static inline void* allocate_aligned(size_t bytes, size_t alignment) {
    return ::operator new(bytes, std::align_val_t(alignment), std::nothrow);
}
static inline void free_aligned(void* memory, size_t alignment) {
    ::operator delete(memory, std::align_val_t(alignment));
}

// Ask for large pages, which cost fewer misses of the address cache.
static inline void prefer_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    madvise(memory, bytes, MADV_HUGEPAGE);
#endif
}

}  // namespace sluice::SLUICE_ISA
