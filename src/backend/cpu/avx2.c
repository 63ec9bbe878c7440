#include "backend/cpu/cpu.h"
void rw_cpu_avx2(rw_cpu_kernels *kernels) {
    (void)kernels;
}
void rw_cpu_avx512(rw_cpu_kernels *kernels) {
    (void)kernels;
}
