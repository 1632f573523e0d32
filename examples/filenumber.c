/* examples/filenumber.c: the text and the check character of a file number. */
#include "examples/filenumber.h"

#include <ctype.h>
#include <sys/random.h>

static const char alphabet[] = "0123456789ACDEFGHJKMNPQRSTVWXYZ";
#define BASE	31u
#define SYMBOLS 16 /* two of the kind, four of the year, ten random */

/* Weights 1 to 16 are different and not zero modulo a prime: every single wrong symbol, and every
 * exchange of two different ones, changes the sum. The check symbol itself weighs 1 (minus the sum). */
static unsigned check_of(const char symbols[static SYMBOLS])
{
	unsigned sum = 0;

	for (unsigned i = 0; i < SYMBOLS; i++)
		sum += (i + 2) * (unsigned)(strchr(alphabet, symbols[i]) - alphabet);
	return (BASE - sum % BASE) % BASE;
}

static void write_out(const char symbols[static SYMBOLS], char out[static FILENUMBER_SIZE])
{
	snprintf(out, FILENUMBER_SIZE, "%.2s-%.4s-%.5s-%.5s-%c", symbols, symbols + 2, symbols + 6,
		 symbols + 11, alphabet[check_of(symbols)]);
}

void filenumber_format(const char *prefix, unsigned year, const uint8_t random[static 10],
		       char out[static FILENUMBER_SIZE])
{
	char symbols[SYMBOLS + 1];

	snprintf(symbols, sizeof(symbols), "%.2s%04u", prefix, year % 10000);
	for (unsigned i = 0; i < 10; i++)
		symbols[6 + i] = alphabet[random[i] % BASE];
	write_out(symbols, out);
}

err *filenumber_new(const char *prefix, unsigned year, char out[static FILENUMBER_SIZE])
{
	uint8_t random[10];

	for (unsigned i = 0; i < sizeof(random);) {
		if (getrandom(&random[i], 1, 0) != 1) {
			if (errno == EINTR)
				continue;
			return err_errno("draw a file number");
		}
		i += random[i] < 248; /* 8 * 31: what is over would favour the first symbols */
	}
	filenumber_format(prefix, year, random, out);
	return NULL;
}

static char normal(char typed)
{
	switch (toupper((unsigned char)typed)) {
	case 'O':
		return '0';
	case 'I':
	case 'L':
		return '1';
	case 'B':
		return '8';
	case 'U':
		return 'V';
	default:
		return (char)toupper((unsigned char)typed);
	}
}

bool filenumber_parse(const char *typed, char out[static FILENUMBER_SIZE])
{
	char symbols[SYMBOLS + 1];
	unsigned count = 0;

	for (; *typed; typed++) {
		char c = normal(*typed);

		if (c == '-' || c == ' ')
			continue;
		if (count > SYMBOLS || !strchr(alphabet, c))
			return false;
		symbols[count++] = c;
	}
	if (count != SYMBOLS + 1 || !isalpha((unsigned char)symbols[0]) ||
	    !isalpha((unsigned char)symbols[1]))
		return false;
	for (unsigned i = 2; i < 6; i++)
		if (!isdigit((unsigned char)symbols[i]))
			return false;
	if (symbols[SYMBOLS] != alphabet[check_of(symbols)])
		return false;
	write_out(symbols, out);
	return true;
}
