/* tests/unit/place.h: an empty temporary folder for one test, as its cmocka fixture. */
#pragma once
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/path.h"

struct place {
	char root[64];
	struct arena *arena;
	pid_t child; /* killed at the end; 0: none */
};

static inline UNUSED int place_make(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	if (!p)
		return -1;
	snprintf(p->root, sizeof p->root, "/tmp/stube-unit-XXXXXX");
	if (!mkdtemp(p->root) || arena_new(64 << 20, &p->arena))
		return -1;
	*state = p;
	return 0;
}

static inline UNUSED int place_remove(void **state)
{
	struct place *p = *state;
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (p->child > 0) {
		kill(p->child, SIGKILL);
		waitpid(p->child, NULL, 0);
	}
	err *e = path_remove_all(tmp, strrchr(p->root, '/') + 1);
	int failed = e != NULL;
	err_free(e);
	arena_free(p->arena);
	free(p);
	return failed;
}

static inline UNUSED bool place_has(const struct place *p, const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", p->root, name);
	return access(path, F_OK) == 0;
}
