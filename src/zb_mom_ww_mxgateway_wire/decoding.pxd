"""The C types of ``decoding.py``."""

cimport cython

from zb_mom_ww_mxgateway_wire cimport native

@cython.locals(byte=cython.ulonglong, value=cython.ulonglong, shift=cython.int)
cpdef (unsigned long long, Py_ssize_t) read_varint(bytes data, Py_ssize_t pos, unsigned long long first)

@cython.locals(tag=cython.ulonglong, end=cython.Py_ssize_t)
cpdef (unsigned long long, Py_ssize_t) read_tag(bytes data, Py_ssize_t pos, unsigned long long first)

@cython.locals(size=cython.ulonglong, end=cython.Py_ssize_t)
cpdef (Py_ssize_t, Py_ssize_t) read_size(bytes data, Py_ssize_t pos, unsigned long long first)

cpdef list kept(list unknown, bytes data, Py_ssize_t start, Py_ssize_t stop, unsigned long long tag)

@cython.locals(size=cython.Py_ssize_t, first=cython.ulonglong)
cpdef Py_ssize_t skip(bytes data, Py_ssize_t pos, unsigned long long tag, int depth) except -1

@cython.locals(tag=cython.ulonglong)
cdef Py_ssize_t _skip_group(bytes data, Py_ssize_t pos, unsigned long long number, int depth) except -1

cpdef str chosen(object message, str before, str member, object value)

cpdef object extended(object before, list chunks)

cpdef long long to_int32(unsigned long long value) noexcept

cpdef long long to_int64(unsigned long long value) noexcept

cpdef long long to_sint32(unsigned long long value) noexcept

cpdef long long to_sint64(unsigned long long value) noexcept

@cython.locals(value=cython.ulonglong, values=list)
cpdef list unpack_uint64(bytes data, Py_ssize_t pos, Py_ssize_t stop)

@cython.locals(values=list)
cpdef list unpack_int32(bytes data, Py_ssize_t pos, Py_ssize_t stop)

@cython.locals(values=list)
cpdef list unpack_int64(bytes data, Py_ssize_t pos, Py_ssize_t stop)

cpdef list unpack_uint32(bytes data, Py_ssize_t pos, Py_ssize_t stop)

cpdef list unpack_bool(bytes data, Py_ssize_t pos, Py_ssize_t stop)
