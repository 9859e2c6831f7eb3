"""One thread for linear algebra: on small matrices more of them wait for each other, and a fit takes ten times as long."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep the libraries behind numpy, scipy and scikit-learn to one thread meanwhile; they have to be loaded before."""
    import scipy.linalg  # noqa: F401  # loads its own BLAS
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield
