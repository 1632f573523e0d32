/* base/defence.c: which defences the environment leaves out, in the build for the tests. */
#include "base/defence.h"

#ifdef UNDEFENDED
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE "STUBE_UNDEFENDED"

extern char **environ;

bool defence_stands(const char *name)
{
	const char *list = getenv(VARIABLE);
	size_t len = strlen(name);

	for (const char *p = list ? list : ""; *p; p += strspn(p, ",")) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, name, n) == 0)
			return false;
		p += n;
	}
	return true;
}

char *defence_environment(void)
{
	for (char **e = environ; e && *e; e++)
		if (strncmp(*e, VARIABLE "=", sizeof VARIABLE) == 0)
			return *e;
	return NULL;
}

int defence_plain_image(void)
{
	const char *path = getenv(VARIABLE "_IMAGE");

	return path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}
#endif
