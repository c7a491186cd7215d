// Threads that run one job together.
#pragma once

#include <atomic>
#include <cstdint>
#include <sched.h>
#include <thread>
#include <vector>

namespace sluice::SLUICE_ISA {

struct Team {
    int size;
    std::atomic<int> arrived{0};
    std::atomic<unsigned> turn{0};
    explicit Team(int n) : size(n) {}
    void barrier(int) {
        const unsigned now = turn.load(std::memory_order_acquire);
        if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == size) {
            arrived.store(0, std::memory_order_relaxed);
            turn.store(now + 1, std::memory_order_release);
            return;
        }
        for (int spins = 0; turn.load(std::memory_order_acquire) == now; ++spins)
            if (spins > 2000) sched_yield();
    }
};

template <class F> void run_team(int threads, F&& job) {
    Team team(threads);
    std::vector<std::thread> others;
    for (int id = 1; id < threads; ++id) others.emplace_back([&, id] { job(id, team); });
    job(0, team);
    for (auto& thread : others) thread.join();
}

}  // namespace sluice::SLUICE_ISA
