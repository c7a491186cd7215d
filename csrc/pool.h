// A pool of threads that run one job together.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "openmp.h"
#include "system.h"

namespace sluice::SLUICE_ISA {

// Wait for a condition: a microsecond or two in a loop, then leaving the core to others. Where two
// threads have one core, each meeting of theirs costs the whole loop.
template <class Condition> void spin_until(Condition condition) {
    for (int spins = 0; !condition(); ++spins) {
        if (spins < 64) pause_cpu();
        else std::this_thread::yield();
    }
}

// The threads of one job, and a barrier: the last to arrive releases the others.
struct Team {
    int size;
    alignas(64) std::atomic<int> arrived{0};
    alignas(64) std::atomic<uint32_t> generation{0};
    explicit Team(int n) : size(n) {}
    void barrier() {
        const uint32_t now = generation.load(std::memory_order_acquire);
        if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == size) {
            arrived.store(0, std::memory_order_relaxed);
            generation.store(now + 1, std::memory_order_release);
            return;
        }
        spin_until([&] { return generation.load(std::memory_order_acquire) != now; });
    }
};

// Worker threads that sleep between jobs. They are never joined: the end of the process ends them,
// and a forked child, which has none of them, starts a pool of its own.
class ThreadPool {
public:
    using Job = void (*)(void* context, int id);

    std::mutex mutex;
    bool is_idle() { return std::unique_lock(mutex, std::try_to_lock).owns_lock(); }

    // Run job(0) here and job(1 … threads − 1) on workers; the caller holds `mutex`. Unless
    // `wait_for_all`, the job ends with the caller's part: a worker that has not begun by then
    // never does.
    void run(int threads, Job job, void* context, bool wait_for_all) {
        while (int(workers_) < threads - 1) start_worker();
        job_ = job, context_ = context, threads_ = threads;
        caller_cpu_.store(get_current_cpu(), std::memory_order_relaxed);
        unfinished_.store(threads - 1, std::memory_order_relaxed);
        current_job_ = job_number_.load(std::memory_order_relaxed) + 1;
        accepts_workers_.store(true);
        job_number_.fetch_add(1, std::memory_order_release);
        job_number_.notify_all();
        job(context, 0);
        if (wait_for_all)
            spin_until([&] { return unfinished_.load(std::memory_order_acquire) == 0; });
        accepts_workers_.store(false);
        spin_until([&] { return active_workers_.load() == 0; });
    }

private:
    int workers_ = 0;
    Job job_ = nullptr;
    void* context_ = nullptr;
    int threads_ = 0;
    uint32_t current_job_ = 0;
    alignas(64) std::atomic<uint32_t> job_number_{0};
    alignas(64) std::atomic<int> unfinished_{0};
    // A worker counts as active from before it reads `accepts_workers_` until its part is done.
    // Both are sequentially consistent, so that none begins after the caller has seen none active.
    alignas(64) std::atomic<int> active_workers_{0};
    std::atomic<bool> accepts_workers_{false};
    std::atomic<int> caller_cpu_{-1};

    void start_worker() {
        const int id = ++workers_;
        const uint32_t seen = job_number_.load(std::memory_order_relaxed);
        std::thread([this, id, seen] { worker_loop(id, seen); }).detach();
    }
    void worker_loop(int id, uint32_t seen) {
        int avoided = -1;
        uint32_t condition = seen;
        for (;;) {
            for (int spins = 0; job_number_.load(std::memory_order_acquire) == seen; ++spins) {
                if (spins < 2000) pause_cpu();
                else job_number_.wait(seen, std::memory_order_acquire);
            }
            seen = job_number_.load(std::memory_order_acquire);
            active_workers_.fetch_add(1);
            // This may be a later job than the number says: run each job only once.
            if (accepts_workers_.load() && condition != current_job_) {
                condition = current_job_;
                run_part(id, avoided);
            }
            active_workers_.fetch_sub(1);
        }
    }
    void run_part(int id, int& avoided) {
        if (id >= threads_) return;
        avoid_caller_core(avoided);
        job_(context_, id);
        unfinished_.fetch_sub(1, std::memory_order_release);
    }
    // Two threads that wait for each other on one core are many times slower: a worker on the
    // caller's core moves to another one that the process may use.
    void avoid_caller_core(int& avoided) const {
        const int cpu = caller_cpu_.load(std::memory_order_relaxed);
        if (cpu < 0 || get_current_cpu() != cpu || cpu == avoided) return;
        if (leave_cpu(cpu)) avoided = cpu;
    }
};

// Run job(id) on up to `threads` threads, the caller being number 0: on those of the OpenMP runtime
// that torch uses, else on the pool's; `wait_for_all` as for the pool. A second caller of the pool
// meanwhile starts threads of its own, or runs the job alone where that is enough.
template <class F> void run_jobs(int threads, F&& job, bool wait_for_all) {
    if (threads == 1) return job(0);
    const auto call = [](void* context, int id) {
        (*static_cast<std::remove_reference_t<F>*>(context))(id);
    };
    if (const OpenMP* runtime = OpenMP::get(); runtime && runtime->run(threads, call, &job)) return;
    ThreadPool& pool = PerProcess<ThreadPool>::get();
    if (std::unique_lock lock(pool.mutex, std::try_to_lock); lock)
        return pool.run(threads, call, &job, wait_for_all);
    if (!wait_for_all) return job(0);
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

// Share items 0 … ends.back() − 1: thread k begins with those before ends[k], then takes what
// others have left. The caller does not wait for a thread that is still asleep, so that even little
// work may be shared. work(next): next() returns an item, or −1 when there are no more.
template <class F> void share_work(const std::vector<i64>& ends, F&& worker_loop) {
    struct alignas(64) Cursor {
        std::atomic<i64> next;
    };
    const size_t threads = ends.size();
    std::vector<Cursor> cursors(threads);
    for (size_t k = 0; k < threads; ++k) cursors[k].next = k ? ends[k - 1] : 0;
    run_jobs(
        int(threads),
        [&](int id) {
            size_t from = size_t(id), passed = 0;
            worker_loop([&]() -> i64 {
                for (; passed < threads; ++passed, from = (from + 1) % threads)
                    if (const i64 k = cursors[from].next.fetch_add(1); k < ends[from]) return k;
                return -1;
            });
        },
        false);
}

}  // namespace sluice::SLUICE_ISA
