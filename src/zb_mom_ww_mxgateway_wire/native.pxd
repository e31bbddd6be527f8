"""The C side of ``native.py``, for codecs that are compiled."""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject_GenericSetAttr


cdef extern from *:
    """
    #define MXGW_NEW(type, nothing) PyBaseObject_Type.tp_new((PyTypeObject *)(type), nothing, NULL)
    """
    object MXGW_NEW(object type, tuple nothing)
    int PyFloat_Pack4(double value, char *data, int little_endian) except -1
    int PyFloat_Pack8(double value, char *data, int little_endian) except -1
    void PyObject_GC_UnTrack(void *op)
    double PyFloat_Unpack4(const char *data, int little_endian) except? -1.0
    double PyFloat_Unpack8(const char *data, int little_endian) except? -1.0


cdef inline object new(object message):
    return MXGW_NEW(message, ())


cdef inline object new_leaf(object message):
    made = MXGW_NEW(message, ())
    PyObject_GC_UnTrack(<void *>made)
    return made


cdef inline int put(object message, str name, object value) except -1:
    return PyObject_GenericSetAttr(message, name, value)


cdef inline double read_float(bytes data, Py_ssize_t pos) except? -1.0:
    if PyBytes_GET_SIZE(data) - pos < 4:
        raise IndexError
    return PyFloat_Unpack4(PyBytes_AS_STRING(data) + pos, 1)


cdef inline double read_double(bytes data, Py_ssize_t pos) except? -1.0:
    if PyBytes_GET_SIZE(data) - pos < 8:
        raise IndexError
    return PyFloat_Unpack8(PyBytes_AS_STRING(data) + pos, 1)


cdef inline int write_float(bytearray out, object value) except -1:
    cdef double number = value
    cdef Py_ssize_t size = PyByteArray_GET_SIZE(out)
    PyByteArray_Resize(out, size + 4)
    return PyFloat_Pack4(number, PyByteArray_AS_STRING(out) + size, 1)


cdef inline int write_double(bytearray out, object value) except -1:
    cdef double number = value
    cdef Py_ssize_t size = PyByteArray_GET_SIZE(out)
    PyByteArray_Resize(out, size + 8)
    return PyFloat_Pack8(number, PyByteArray_AS_STRING(out) + size, 1)
