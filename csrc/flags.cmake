# What the kernels are compiled with: `isas`, `options_<isa>` of each, and `link_flags`.

# Vectors of a chosen size, shuffles and overflow checks are extensions of these two compilers.
if(NOT CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  message(FATAL_ERROR "Sluice's kernels need g++ or clang, got ${CMAKE_CXX_COMPILER_ID}: on Windows \
use the clang-cl of Visual Studio (CXX=clang-cl), or set SLUICE_PURE=1 to install the reference alone.")
endif()

set(flags_generic "")
set(flags_v3 -march=x86-64-v3)
set(flags_avx512 -march=x86-64-v4 -mprefer-vector-width=512)
set(flags_avx512_bf16 ${flags_avx512} -mavx512bf16 -mavx512vnni)

set(isas generic)
set(processors ${CMAKE_SYSTEM_PROCESSOR})
if(APPLE AND CMAKE_OSX_ARCHITECTURES)
  set(processors ${CMAKE_OSX_ARCHITECTURES}) # a build for both has `generic` alone
endif()
# g++ for Windows leaves vectors of 32 and 64 bytes on a stack aligned to 16 (GCC's bug 54412).
if(processors MATCHES "^(x86_64|AMD64)$" AND NOT (WIN32 AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU"))
  list(APPEND isas v3 avx512 avx512_bf16)
endif()

if(CMAKE_CXX_COMPILER_FRONTEND_VARIANT STREQUAL "MSVC")
  set(prefix "/clang:") # clang-cl passes such options on
endif()
foreach(isa IN LISTS isas)
  set(options_${isa} ${flags_${isa}} -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast
    -Wall -Wextra)
  list(TRANSFORM options_${isa} PREPEND "${prefix}")
endforeach()
if(UNIX AND NOT APPLE)
  set(link_flags -Wl,--exclude-libs,ALL)
endif()
