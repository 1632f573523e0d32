/* tests/fuzz/runtime_init.c: what stube-init reads of an image: /etc/passwd, and the head of a program that the kernel
 * refused. The files are taken in whole, since a program has no library. */
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "cmd/stube-init/home.c" /* NOLINT(bugprone-suspicious-include) */
#include "cmd/stube-init/why.c"	 /* NOLINT(bugprone-suspicious-include) */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* A home is a part of the text, one line without a colon. */
static void passwd(const uint8_t *bytes, size_t len)
{
	auto_free char *text = strndup((const char *)bytes, len);
	const char *home = text ? home_of(text, 1000) : NULL;

	if (home && (home < text || home > text + len || strpbrk(home, ":\n")))
		abort();
}

static void program(const uint8_t *bytes, size_t len)
{
	auto_str struct str why = STR_INIT(8192);
	auto_close int fd = memfd_create("program", MFD_CLOEXEC);
	char path[64];

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
		return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	why_not_executed(path, ENOEXEC, &why);
	why_not_executed(path, ENOENT, &why);
	if (strlen(why.data) != why.len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len < 1 || len > 1 << 14)
		return 0;
	if (bytes[0] & 1)
		passwd(bytes + 1, len - 1);
	else
		program(bytes + 1, len - 1);
	return 0;
}
