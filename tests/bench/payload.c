/* tests/bench/payload.c: the smallest program a container can run: exits, or sleeps when told "sleep". */
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "sleep") == 0)
		for (;;)
			pause();
	return 0;
}
