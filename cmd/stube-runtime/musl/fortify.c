/* cmd/stube-runtime/musl/fortify.c: what Debian's libyajl and libseccomp, compiled against glibc, call of it.
 *
 * Their other calls (malloc, memcpy, strtod, syscall, fdopen, ...) mean the same in musl, and no structure of
 * a C library crosses the border. These four are glibc's checked forms: too little room ends the program. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__memcpy_chk(void *to, const void *from, size_t len, size_t room);
int __snprintf_chk(char *to, size_t len, int flag, size_t room, const char *format, ...);
int __sprintf_chk(char *to, int flag, size_t room, const char *format, ...);
int __fprintf_chk(FILE *file, int flag, const char *format, ...);

void *__memcpy_chk(void *to, const void *from, size_t len, size_t room)
{
	if (len > room)
		abort();
	return memcpy(to, from, len);
}

int __snprintf_chk(char *to, size_t len, int flag, size_t room, const char *format, ...)
{
	va_list args;

	(void)flag;
	if (len > room)
		abort();
	va_start(args, format);
	int n = vsnprintf(to, len, format, args);
	va_end(args);
	return n;
}

int __sprintf_chk(char *to, int flag, size_t room, const char *format, ...)
{
	va_list args;

	(void)flag;
	va_start(args, format);
	int n = vsnprintf(to, room, format, args);
	va_end(args);
	if (n >= 0 && (size_t)n >= room)
		abort();
	return n;
}

int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
	va_list args;

	(void)flag;
	va_start(args, format);
	int n = vfprintf(file, format, args);
	va_end(args);
	return n;
}
