module smolit.example

go 1.25
