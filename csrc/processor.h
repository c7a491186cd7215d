// What the processor and its system can execute. Compilers' own functions for it need a run-time
// library that not every system links.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace sluice::SLUICE_ISA {

#if defined(__x86_64__)
struct CpuLeaf {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    CpuLeaf(unsigned leaf, unsigned part) { __get_cpuid_count(leaf, part, &eax, &ebx, &ecx, &edx); }
};

// The registers that the system saves for each thread.
inline unsigned get_saved_registers() {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

// Names and bits: Intel's Software Developer's Manual, volume 2, CPUID.
inline std::vector<std::string> list_x86_sets() {
    const CpuLeaf basic(1, 0), extended(7, 0), more(7, 1), amd(0x80000001u, 0);
    const auto has = [](unsigned word, std::initializer_list<int> bits) {
        for (int bit : bits)
            if (!(word >> bit & 1)) return false;
        return true;
    };
    std::vector<std::string> found;
    constexpr int fma = 12, movbe = 22, saves_registers = 27, avx = 28, f16c = 29, lzcnt = 5;
    constexpr int bmi1 = 3, avx2 = 5, bmi2 = 8;
    if (!has(basic.ecx, {fma, movbe, saves_registers, avx, f16c}) || !has(amd.ecx, {lzcnt}) ||
        !has(extended.ebx, {bmi1, avx2, bmi2}) || !has(get_saved_registers(), {1, 2}))
        return found;
    found.push_back("v3");
    constexpr int f = 16, dq = 17, cd = 28, bw = 30, vl = 31, vnni = 11, bf16 = 5;
    if (!has(extended.ebx, {f, dq, cd, bw, vl}) || !has(get_saved_registers(), {5, 6, 7}))
        return found;
    found.push_back("avx512");
    if (has(extended.ecx, {vnni}) && has(more.eax, {bf16})) found.push_back("avx512_bf16");
    return found;
}
#endif

// The instruction sets that kernels are built for and this processor has, best last.
inline std::vector<std::string> list_instruction_sets() {
    std::vector<std::string> found{"generic"};
#if defined(__x86_64__)
    for (const std::string& name : list_x86_sets()) found.push_back(name);
#endif
    return found;
}

}  // namespace sluice::SLUICE_ISA
