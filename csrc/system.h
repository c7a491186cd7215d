// Everything that Linux, macOS, Windows and others do differently; another system does without.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <string>

#if defined(_WIN32)
#ifndef NOMINMAX
#define NOMINMAX
#endif
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
#elif defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <pthread.h>
#endif
#if defined(__linux__)
#include <link.h>
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

// One object of a kind in each process, made when the kernels are loaded and never destroyed. A
// forked child gets a new one: another thread may have been at work on its parent's.
template <class T> class PerProcess {
public:
    static T& get() { return *current; }

private:
    static void renew() { current = new T; }
    static T* create() {
        call_after_fork(&renew);
        return new T;
    }
    static inline T* current = create();
};

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

// A library that the process has loaded, held by no count of its own: these never load or unload.
class LoadedLibrary {
public:
    // The one that holds a function; its file is empty where there is none.
    explicit LoadedLibrary(void* function) {
#if defined(_WIN32)
        const DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                            GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
        char name[MAX_PATH];
        if (!GetModuleHandleExA(flags, static_cast<const char*>(function), &handle_)) return;
        if (GetModuleFileNameA(handle_, name, sizeof name) < sizeof name) file_ = name;
#elif defined(__unix__) || defined(__APPLE__)
        Dl_info info;
        if (dladdr(function, &info) && info.dli_fname) file_ = info.dli_fname;
#endif
    }
    const std::string& file() const { return file_; }

    // A function of this library, null where it has none of that name.
    void* find(const char* name) const {
#if defined(_WIN32)
        return handle_ ? reinterpret_cast<void*>(GetProcAddress(handle_, name)) : nullptr;
#elif defined(__unix__) || defined(__APPLE__)
        return find_in(file_.c_str(), name);
#else
        return nullptr;
#endif
    }

    // A function of any library, as torch would find it: in the global scope, then among the
    // libraries that torch needs, then in any OpenMP runtime.
    static void* find_anywhere([[maybe_unused]] const char* name) {
#if defined(_WIN32)
        for (const char* file : {"libiomp5md.dll", "libomp140.x86_64.dll", "libomp140.aarch64.dll"})
            if (HMODULE library = GetModuleHandleA(file))
                if (auto found = GetProcAddress(library, name))
                    return reinterpret_cast<void*>(found);
#elif defined(__unix__) || defined(__APPLE__)
        if (void* found = dlsym(RTLD_DEFAULT, name)) return found;
#endif
#if defined(__linux__)
        for (const char* library : {"libtorch_cpu", "libgomp", "libomp", "libiomp5"}) {
            Search search{name, library, nullptr};
            dl_iterate_phdr(&look_into, &search);
            if (search.found) return search.found;
        }
#endif
        return nullptr;
    }

private:
    std::string file_;
#if defined(_WIN32)
    HMODULE handle_ = nullptr;
#elif defined(__unix__) || defined(__APPLE__)
    static void* find_in(const char* file, const char* name) {
        void* handle = dlopen(file, RTLD_LAZY | RTLD_NOLOAD);
        if (!handle) return nullptr;
        void* found = dlsym(handle, name);
        dlclose(handle);
        return found;
    }
#endif
#if defined(__linux__)
    struct Search {
        const char* name;
        const char* library;
        void* found;
    };
    static int look_into(dl_phdr_info* info, size_t, void* data) {
        auto& search = *static_cast<Search*>(data);
        if (info->dlpi_name && std::strstr(info->dlpi_name, search.library))
            search.found = find_in(info->dlpi_name, search.name);
        return search.found != nullptr;
    }
#endif
};

}  // namespace sluice::SLUICE_ISA
