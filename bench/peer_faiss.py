# peer_faiss.py: IVFFlat of faiss (faiss-cpu from PyPI) as a peer, on one thread, in a process of its own: bench/hnsw_lists.c starts it.
#
#   peer_faiss.py SET.vectors ROWS-OF-THE-FILE ROWS DIM COSINE CLOCK INDEX-FILE
#
# The file is that of bench/data.c: a page, the rows, then the queries. Lists are as many as four times the root of the rows, learned from as many rows as ours
# (40 for a list). The index is kept in INDEX-FILE. Then for each line on stdin, an nprobe, to stdout: a double, the seconds that all queries took in one call, and the numbers
# of the 10 rows found of each, as int64; -1 where there are fewer.
import os
import sys
import time

import faiss
import numpy

path, rows_of_file, rows, dim, cosine, clock, kept = sys.argv[1:]
rows_of_file, rows, dim, cosine = int(rows_of_file), int(rows), int(dim), int(cosine)
now = time.process_time if clock == "cpu" else time.perf_counter
faiss.omp_set_num_threads(1)
vectors = numpy.memmap(path, dtype="<f4", mode="r", offset=4096).reshape(-1, dim)
query = numpy.array(vectors[rows_of_file:])
if cosine:
    faiss.normalize_L2(query)

if os.path.exists(kept) and os.path.getmtime(kept) > os.path.getmtime(path):
    index = faiss.read_index(kept)
else:
    base = numpy.array(vectors[:rows])
    start = now()
    if cosine:
        faiss.normalize_L2(base)
    lists = int(4 * rows**0.5)
    metric = faiss.METRIC_INNER_PRODUCT if cosine else faiss.METRIC_L2
    index = faiss.IndexIVFFlat(faiss.IndexFlat(dim, metric), dim, lists, metric)
    index.cp.min_points_per_centroid = index.cp.max_points_per_centroid = 40
    index.train(base)
    index.add(base)
    seconds = now() - start
    print("made %s in %.1f s, %.0f vectors/s" % (os.path.basename(kept), seconds, rows / seconds), file=sys.stderr)
    faiss.write_index(index, kept + ".part")
    os.rename(kept + ".part", kept)

for line in iter(sys.stdin.readline, ""):
    index.nprobe = int(line)
    start = now()
    near = index.search(query, 10)[1]
    seconds = now() - start
    sys.stdout.buffer.write(numpy.float64(seconds).tobytes() + near.astype("<i8").tobytes())
    sys.stdout.buffer.flush()
