/* cmd/stube-runtime/musl/start.c: where the kernel enters stube-runtime on x86-64, a moment before the C library.
 *
 * The C library's start relocates the tables, which writes to each of their pages: a fault and a copy for each. One
 * madvise(2) has them all copied beforehand (docs/performance.md). Kernels before 5.14 refuse: then the faults come as
 * usual. Nothing is relocated yet and there is no stack protector: no pointers from tables, no calls. */
#ifdef __x86_64__
#include <elf.h>
#include <stdint.h>
#include <sys/syscall.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { PAGE = 4096 };

extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

static long populate(uintptr_t from, uintptr_t to)
{
	long rc;

	from &= ~(uintptr_t)(PAGE - 1);
	to = (to + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	__asm__ volatile("syscall"
			 : "=a"(rc)
			 : "a"(SYS_madvise), "D"(from), "S"(to - from), "d"(MADV_POPULATE_WRITE)
			 : "rcx", "r11", "memory");
	return rc;
}

void stube_prepare(void);
__attribute__((used, visibility("hidden"), optimize("no-stack-protector"))) void stube_prepare(void)
{
	const char *image = (const char *)&__ehdr_start;
	const Elf64_Phdr *p = (const void *)(image + __ehdr_start.e_phoff);

	for (unsigned i = 0; i < __ehdr_start.e_phnum; i++)
		if (p[i].p_type == PT_LOAD && (p[i].p_flags & PF_W))
			(void)populate((uintptr_t)image + p[i].p_vaddr,
				       (uintptr_t)image + p[i].p_vaddr + p[i].p_filesz);
}

/* rdx is what the kernel says to atexit(3): kept. The stack stays aligned as at the entry. */
__asm__(".text\n"
	".globl stube_start\n"
	".type stube_start, @function\n"
	"stube_start:\n"
	"	push %rdx\n"
	"	push %rdx\n"
	"	call stube_prepare\n"
	"	pop %rdx\n"
	"	pop %rdx\n"
	"	jmp _start\n");
#endif
