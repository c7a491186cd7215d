// Threads that run one job together, kept between jobs.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "vector.h"

namespace sluice::SLUICE_ISA {

static inline void pause_briefly() {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

// Wait for `done`: a few microseconds in a loop, then leaving the core to others.
template <class Done> void wait_for(Done done) {
    for (int spins = 0; !done(); ++spins) {
        if (spins < 2000) pause_briefly();
        else sched_yield();
    }
}

// The threads of one job. Only the last to arrive lets the others go on.
struct Team {
    int size;
    alignas(64) std::atomic<int> arrived{0};
    alignas(64) std::atomic<uint32_t> turn{0};
    explicit Team(int n) : size(n) {}
    void barrier(int) {
        const uint32_t now = turn.load(std::memory_order_acquire);
        if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == size) {
            arrived.store(0, std::memory_order_relaxed);
            turn.store(now + 1, std::memory_order_release);
            return;
        }
        wait_for([&] { return turn.load(std::memory_order_acquire) != now; });
    }
};

// Worker threads that sleep between jobs. They are never joined: at exit the process ends them
// asleep, and a forked child, which has none of them, starts a pool of its own.
class Pool {
public:
    using Job = void (*)(void* context, int id);

    std::mutex busy;
    bool idle() { return std::unique_lock(busy, std::try_to_lock).owns_lock(); }

    // Run job(0) here and job(1 … threads − 1) on workers; the caller holds `busy`. A job that is
    // not `whole` ends with the caller's part: a worker that has not begun by then never does.
    void run(int threads, Job job, void* context, bool whole) {
        while (int(workers_) < threads - 1) start();
        job_ = job, context_ = context, threads_ = threads;
        caller_cpu_.store(sched_getcpu(), std::memory_order_relaxed);
        left_.store(threads - 1, std::memory_order_relaxed);
        open_.store(true);
        number_.fetch_add(1, std::memory_order_release);
        number_.notify_all();
        job(context, 0);
        if (whole) wait_for([&] { return left_.load(std::memory_order_acquire) == 0; });
        open_.store(false);
        wait_for([&] { return inside_.load() == 0; });
    }

    static Pool& get() {
        static std::once_flag once;
        std::call_once(once, [] {
            current() = new Pool;
            pthread_atfork(nullptr, nullptr, [] { current() = new Pool; });
        });
        return *current();
    }

private:
    int workers_ = 0;
    Job job_ = nullptr;
    void* context_ = nullptr;
    int threads_ = 0;
    alignas(64) std::atomic<uint32_t> number_{0};
    alignas(64) std::atomic<int> left_{0};
    // A worker is inside from before it looks whether the job is open until it is done with it;
    // both are sequentially consistent, so that it never begins after the caller saw none inside.
    alignas(64) std::atomic<int> inside_{0};
    std::atomic<bool> open_{false};
    std::atomic<int> caller_cpu_{-1};

    static Pool*& current() {
        static Pool* pool = nullptr;
        return pool;
    }

    void start() {
        const int id = ++workers_;
        const uint32_t seen = number_.load(std::memory_order_relaxed);
        std::thread([this, id, seen] { work(id, seen); }).detach();
    }
    void work(int id, uint32_t seen) {
        int avoided = -1;
        for (;;) {
            for (int spins = 0; number_.load(std::memory_order_acquire) == seen; ++spins) {
                if (spins < 2000) pause_briefly();
                else number_.wait(seen, std::memory_order_acquire);
            }
            seen = number_.load(std::memory_order_acquire);
            inside_.fetch_add(1);
            if (open_.load()) {
                seen = number_.load(std::memory_order_acquire);  // perhaps a later one by now
                take_part(id, avoided);
            }
            inside_.fetch_sub(1);
        }
    }
    void take_part(int id, int& avoided) {
        if (id >= threads_) return;
        leave_to_caller(avoided);
        job_(context_, id);
        left_.fetch_sub(1, std::memory_order_release);
    }
    // Two threads that wait for each other on one core cost many times what they should: a worker
    // that finds itself on the caller's core goes elsewhere, if it may.
    void leave_to_caller(int& avoided) const {
        const int cpu = caller_cpu_.load(std::memory_order_relaxed);
        if (cpu < 0 || sched_getcpu() != cpu || cpu == avoided) return;
        cpu_set_t allowed;
        if (sched_getaffinity(getpid(), sizeof allowed, &allowed) != 0) return;
        if (CPU_COUNT(&allowed) < 2) return;
        CPU_CLR(cpu, &allowed);
        if (sched_setaffinity(0, sizeof allowed, &allowed) == 0) avoided = cpu;
    }
};

// Run job(id) on up to `threads` threads, the caller being number 0; `whole` as for the pool. A
// second caller meanwhile starts threads of its own, or works alone where that is enough.
template <class F> void run_jobs(int threads, F&& job, bool whole) {
    if (threads == 1) return job(0);
    Pool& pool = Pool::get();
    if (std::unique_lock lock(pool.busy, std::try_to_lock); lock) {
        pool.run(threads, [](void* context, int id) { (*static_cast<F*>(context))(id); }, &job, whole);
        return;
    }
    if (!whole) return job(0);
    std::vector<std::thread> others;
    for (int id = 1; id < threads; ++id) others.emplace_back([&, id] { job(id); });
    job(0);
    for (auto& thread : others) thread.join();
}

// Run job(id, team) on `threads` threads.
template <class F> void run_team(int threads, F&& job) {
    Team team(threads);
    run_jobs(threads, [&](int id) { job(id, team); }, true);
}

// Jobs 0 … last(ends) − 1, where thread k begins with those before ends[k]; whoever has done its own
// takes what others have left. The caller does not wait for a thread that is asleep, so that even
// little work may be shared. work(next): next() is a job, or −1 when there are no more.
template <class F> void share(const std::vector<i64>& ends, F&& work) {
    struct alignas(64) Cursor { std::atomic<i64> next; };
    const size_t threads = ends.size();
    std::vector<Cursor> cursors(threads);
    for (size_t k = 0; k < threads; ++k) cursors[k].next = k ? ends[k - 1] : 0;
    run_jobs(int(threads), [&](int id) {
        size_t from = size_t(id), passed = 0;
        work([&]() -> i64 {
            for (; passed < threads; ++passed, from = (from + 1) % threads)
                if (const i64 k = cursors[from].next.fetch_add(1); k < ends[from]) return k;
            return -1;
        });
    }, false);
}

}  // namespace sluice::SLUICE_ISA
