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

    // Run job(0) here and job(1 … threads − 1) on workers; the caller holds `busy`.
    void run(int threads, Job job, void* context) {
        while (int(workers_) < threads - 1) start();
        job_ = job, context_ = context, threads_ = threads;
        caller_cpu_.store(sched_getcpu(), std::memory_order_relaxed);
        left_.store(threads - 1, std::memory_order_relaxed);
        number_.fetch_add(1, std::memory_order_release);
        number_.notify_all();
        job(context, 0);
        wait_for([&] { return left_.load(std::memory_order_acquire) == 0; });
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
            if (id >= threads_) continue;
            leave_to_caller(avoided);
            job_(context_, id);
            left_.fetch_sub(1, std::memory_order_release);
        }
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

// Run job(id, team) on `threads` threads, the caller being number 0. A second caller meanwhile
// starts threads of its own.
template <class F> void run_team(int threads, F&& job) {
    Team team(threads);
    if (threads == 1) return job(0, team);
    struct Context {
        F& job;
        Team& team;
    } context{job, team};
    Pool& pool = Pool::get();
    if (std::unique_lock lock(pool.busy, std::try_to_lock); lock) {
        pool.run(threads, [](void* c, int id) {
            auto& the = *static_cast<Context*>(c);
            the.job(id, the.team);
        }, &context);
        return;
    }
    std::vector<std::thread> others;
    for (int id = 1; id < threads; ++id) others.emplace_back([&, id] { job(id, team); });
    job(0, team);
    for (auto& thread : others) thread.join();
}

}  // namespace sluice::SLUICE_ISA
