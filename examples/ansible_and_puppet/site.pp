include greeting
