"""The C types of ``encoding.py``."""

cimport cython

from zb_mom_ww_mxgateway_wire cimport native

cpdef Py_ssize_t begin(bytearray out) except -1

@cython.locals(size=cython.Py_ssize_t, length=bytearray)
cpdef void finish(bytearray out, Py_ssize_t start) except *

cpdef void write_varint(bytearray out, unsigned long long value) except *

cdef void _write_negative(bytearray out, object value) except *

@cython.locals(number=cython.longlong)
cdef long long _signed(object value, long long low, long long high, str kind, str field) except? -1

@cython.locals(number=cython.ulonglong)
cdef unsigned long long _unsigned(object value, unsigned long long high, str kind, str field) except? 0

@cython.locals(number=cython.longlong)
cpdef void write_int32(bytearray out, object value, str field) except *

@cython.locals(number=cython.longlong)
cpdef void write_int64(bytearray out, object value, str field) except *
cpdef void write_uint32(bytearray out, object value, str field) except *
cpdef void write_uint64(bytearray out, object value, str field) except *

@cython.locals(number=cython.longlong)
cpdef void write_sint32(bytearray out, object value, str field) except *

@cython.locals(number=cython.longlong)
cpdef void write_sint64(bytearray out, object value, str field) except *

@cython.locals(number=cython.longlong)
cpdef void write_enum(bytearray out, object value, str field) except *
cpdef void write_bool(bytearray out, object value, str field) except *
cpdef void write_fixed32(bytearray out, object value, str field) except *
cpdef void write_fixed64(bytearray out, object value, str field) except *
cpdef void write_sfixed32(bytearray out, object value, str field) except *
cpdef void write_sfixed64(bytearray out, object value, str field) except *
cpdef void write_float(bytearray out, object value, str field) except *
cpdef void write_double(bytearray out, object value, str field) except *

@cython.locals(body=bytes)
cpdef void write_string(bytearray out, object value, str field) except *
cpdef void write_bytes(bytearray out, object value, str field) except *
cpdef object sequence(object values, str field)
cpdef object mapping(object values, str field)
cpdef bint is_zero(object value) except -1
