/*
 * fuzz_main.c: runs a fuzzer once on each file given, without libFuzzer. A finding aborts; else the last line is `N inputs`.
 */
#include "fuzz.h"

int main(int argc, char **argv) {
  int i;
  for (i = 1; i < argc; i++) {
    FILE *f = fopen(argv[i], "rb");
    uint8_t *data = malloc(1 << 20), *exact;
    size_t size;
    if (f == NULL || data == NULL) FINDING("cannot read %s", argv[i]);
    size = fread(data, 1, 1 << 20, f);
    fclose(f);
    exact = malloc(size ? size : 1); /* so that a sanitizer sees what is read beyond */
    if (exact == NULL) FINDING("no memory");
    memcpy(exact, data, size);
    printf("%s\n", argv[i]);
    fflush(stdout);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    free(data);
  }
  printf("%d inputs\n", argc - 1);
  return 0;
}
